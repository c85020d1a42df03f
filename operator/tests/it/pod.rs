//! The receiver as a kubelet would run it: with exactly the arguments, the environment and the mounts of the source's
//! Deployment, but for addresses and folders.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mef_e2e::{mef_binary, post};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// It is gone when it is dropped.
pub(crate) struct Pod {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Drop for Pod {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pod {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let deployment = cluster.get("deployment", "mef-sample");
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let word = |value: &Value| value.as_str().expect("text").to_owned();
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_str().expect("text").to_owned();
        for mounted in list(&container["volumeMounts"]) {
            let volumes = list(&pod["volumes"]);
            let volume = volumes.iter().find(|volume| volume["name"] == mounted["name"]);
            let files = files(
                cluster,
                volume.expect("a volume"),
                pod["serviceAccountName"].as_str().unwrap_or_default(),
            );
            let target = format!("{root}{}", word(&mounted["mountPath"]));
            std::fs::create_dir_all(&target).expect("a writable folder");
            for (name, content) in files {
                std::fs::write(Path::new(&target).join(name), content).expect("a writable folder");
            }
        }
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [listen, admin] = listeners.map(|one| one.local_addr().expect("an address").to_string());
        let here = |text: &str| {
            text.replace("/etc/mef", &format!("{root}/etc/mef"))
                .replace("0.0.0.0:8080", &listen)
                .replace("0.0.0.0:8081", &admin)
        };
        let arguments = list(&container["args"]);
        let variables = list(&container["env"]);
        let child = Command::new(mef_binary().with_file_name("mef-receiver"))
            .env_clear()
            .args(arguments.iter().map(|argument| here(&word(argument))))
            .envs(
                variables
                    .iter()
                    .map(|one| (word(&one["name"]), here(&word(&one["value"])))),
            )
            .stderr(std::fs::File::create(folder.path().join("log")).expect("a writable folder"))
            .spawn()
            .expect("the receiver starts");
        Self {
            child,
            url: format!("http://{listen}/sample"),
            folder,
        }
    }

    /// Posts an event; the status of the answer.
    pub(crate) fn post(&self, event: &Value, secret: &str) -> Option<u16> {
        let body = json!({"eventId": "hook", "data": {"events": [event]}});
        let headers = [("authorization", secret), ("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        post(&self.url, &headers, body.to_string().as_bytes()).map(|answer| answer.status)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// What a kubelet would put into a volume.
fn files(cluster: &Cluster, volume: &Value, account: &str) -> Vec<(String, Vec<u8>)> {
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default().into_iter();
    let decoded = |value: &Value| STANDARD.decode(value.as_str().expect("text")).expect("base64");
    if let Some(name) = volume["configMap"]["name"].as_str() {
        let found = cluster.get("configmap", name);
        let plain = entries(&found["data"]).map(|(key, value)| {
            let text = value.as_str().expect("text");
            (key, text.as_bytes().to_vec())
        });
        let binary = entries(&found["binaryData"]).map(|(key, value)| (key, decoded(&value)));
        return plain.chain(binary).collect();
    }
    if let Some(name) = volume["secret"]["secretName"].as_str() {
        let found = cluster.get("secret", name);
        return entries(&found["data"])
            .map(|(key, value)| (key, decoded(&value)))
            .collect();
    }
    let token = &volume["projected"]["sources"][0]["serviceAccountToken"];
    let path = token["path"].as_str().expect("a token").to_owned();
    let audience = format!("--audience={}", token["audience"].as_str().expect("an audience"));
    let made = cluster.ok(&["create", "token", account, &audience], "");
    vec![(path, made.trim().as_bytes().to_vec())]
}
