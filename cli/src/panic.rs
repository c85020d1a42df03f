//! What is printed when the program panics: where, and never the message, which can hold data of an event.

use std::panic::PanicHookInfo;

/// Replaces the default hook, which prints the message.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|info| eprintln!("{}", sentence(info))));
}

fn sentence(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |at| format!("{}:{}", at.file(), at.line()),
    );
    format!(
        "mef: internal error at {place}. This is a bug; please report the place and the command. \
         The message is withheld because it can contain data of an event."
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_panic_prints_its_place_and_not_its_message() {
        std::panic::set_hook(Box::new(|info| {
            if let Ok(mut seen) = SEEN.lock() {
                seen.push(super::sentence(info));
            }
        }));
        let result = std::panic::catch_unwind(|| panic!("token {}", "hunter2"));
        let _ = std::panic::take_hook();
        assert!(result.is_err());
        let seen = SEEN.lock().unwrap().join("\n");
        assert!(
            seen.contains("cli/src/panic.rs:") || seen.contains("src/panic.rs:"),
            "{seen}"
        );
        assert!(!seen.contains("hunter2"), "{seen}");
    }
}
