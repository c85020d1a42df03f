//! Writes a JSON object member by member into bytes.

use crate::json::write_string;

/// An object that is being written. [`ObjectWriter::end`] closes it.
pub(super) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> ObjectWriter<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes a name; the value is up to the caller, who gets the bytes to append to.
    pub(super) fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_string(name, self.out);
        self.out.push(b':');
        self.out
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        write_string(text, self.name(name));
    }

    pub(super) fn texts<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) {
        let out = self.name(name);
        out.push(b'[');
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(text, out);
        }
        out.push(b']');
    }

    pub(super) fn object(&mut self, name: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) {
        let mut object = ObjectWriter::begin(self.name(name));
        write(&mut object);
        object.end();
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}
