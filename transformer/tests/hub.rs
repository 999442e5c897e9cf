//! Models of the Hugging Face Hub, which a small server on this machine plays.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use transformer::pretrained::hub::{Hub, Repository};

const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OLD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// How the server sends large files.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// The first answer breaks off in the middle; what asks on from there gets the rest.
    BreaksOffOnce,
    /// Every answer ends early and says that this is all.
    CutsShort,
    Fails,
}

struct Played {
    address: String,
    files: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
    mood: Mutex<Mood>,
}

struct Server {
    played: Arc<Played>,
}

impl Server {
    fn start(files: &[(&str, &[u8])]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let played = Arc::new(Played {
            address: format!("http://{}", listener.local_addr().unwrap()),
            files: files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect(),
            asked: Mutex::default(),
            mood: Mutex::new(Mood::Well),
        });
        let shared = played.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                // Who breaks a connection off has no more to say of it.
                std::thread::spawn(move || shared.answer(stream.unwrap()).ok());
            }
        });
        Server { played }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.played.asked.lock().unwrap())
    }

    fn feel(&self, mood: Mood) {
        *self.played.mood.lock().unwrap() = mood;
    }
}

struct Reply {
    status: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Reply {
    fn new(status: &'static str, body: &[u8]) -> Reply {
        let headers = vec![format!("content-length: {}", body.len())];
        Reply { status, headers, body: body.into() }
    }

    fn with(mut self, header: String) -> Reply {
        self.headers.push(header);
        self
    }
}

impl Played {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        let path = request.split(' ').nth(1).unwrap_or_default().to_string();
        let (mut from, mut to, mut token) = (0, usize::MAX, String::new());
        for line in lines {
            let line = line?.to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some((first, last)) =
                line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-'))
            {
                (from, to) = (first.parse().unwrap(), last.parse().unwrap_or(usize::MAX));
            }
            if let Some(sent) = line.strip_prefix("authorization: bearer ") {
                token = sent.into();
            }
        }
        self.asked.lock().unwrap().push(path.clone());
        let reply = self.reply(&path, from, to, &token);
        write!(stream, "HTTP/1.1 {}\r\nconnection: close\r\n", reply.status)?;
        for header in &reply.headers {
            write!(stream, "{header}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&reply.body)
    }

    fn reply(&self, path: &str, from: usize, to: usize, token: &str) -> Reply {
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Fails {
            return Reply::new("503 Service Unavailable", b"");
        }
        if path.starts_with("/api/models/shop/secret") && token != "opensesame" {
            return Reply::new("401 Unauthorized", b"");
        }
        if let Some(rest) = path.strip_prefix("/api/models/shop/") {
            return self.info(rest);
        }
        if let Some(file) = path.strip_prefix("/cdn/") {
            return self.large(file, from, to, mood);
        }
        let parts: Vec<&str> = path.splitn(6, '/').collect();
        let ["", "shop", _, "resolve", revision, file] = parts[..] else {
            return Reply::new("404 Not Found", b"");
        };
        let Some(bytes) = self.files.get(file) else {
            return Reply::new("404 Not Found", b"");
        };
        let commit = format!("x-repo-commit: {revision}");
        if file.ends_with(".safetensors") {
            return Reply::new("302 Found", b"")
                .with(commit)
                .with(format!("x-linked-etag: \"etag-of-{file}\""))
                .with(format!("location: {}/cdn/{file}", self.address));
        }
        part(bytes, from, to).with(commit).with(format!("etag: \"etag-of-{file}-{revision}\""))
    }

    fn info(&self, rest: &str) -> Reply {
        let (_, revision) = rest.split_once("/revision/").unwrap();
        let commit = match revision {
            "main" | COMMIT => COMMIT,
            "v1" | OLD => OLD,
            _ => return Reply::new("404 Not Found", b""),
        };
        let files: Vec<String> =
            self.files.keys().map(|file| format!("{{\"rfilename\": \"{file}\"}}")).collect();
        let text = format!("{{\"sha\": \"{commit}\", \"siblings\": [{}]}}", files.join(", "));
        Reply::new("200 OK", text.as_bytes()).with("content-type: application/json".into())
    }

    fn large(&self, file: &str, from: usize, to: usize, mood: Mood) -> Reply {
        let bytes = &self.files[file];
        let whole = part(bytes, from, to);
        // The first byte alone is how its size is asked for.
        if to == 0 {
            return whole;
        }
        match mood {
            Mood::BreaksOffOnce => {
                *self.mood.lock().unwrap() = Mood::Well;
                Reply { body: whole.body[..whole.body.len() / 2].into(), ..whole }
            }
            Mood::CutsShort => part(bytes, from, bytes.len() / 2),
            _ => whole,
        }
    }
}

/// The bytes of a range, its end included.
fn part(bytes: &[u8], from: usize, to: usize) -> Reply {
    let to = to.min(bytes.len() - 1);
    let range = format!("content-range: bytes {from}-{to}/{}", bytes.len());
    Reply::new("206 Partial Content", &bytes[from..=to]).with(range)
}

/// A hub with these files, and its cache on this machine.
fn hub(files: &[(&str, &[u8])]) -> (Server, tempfile::TempDir, Hub) {
    let server = Server::start(files);
    let cache = tempfile::tempdir().unwrap();
    let endpoint = server.played.address.clone();
    let hub = Hub { endpoint, cache: cache.path().join("hub"), token: None, offline: false };
    (server, cache, hub)
}

const CONFIG: (&str, &[u8]) = ("config.json", b"{\"model_type\": \"gpt2\"}");

fn weights() -> Vec<u8> {
    (0..100_000).map(|i| (i % 251) as u8).collect()
}

/// A whole model, and files that no model needs.
fn usual() -> (Server, tempfile::TempDir, Hub) {
    let weights = weights();
    hub(&[
        CONFIG,
        ("tokenizer.json", b"{}"),
        ("README.md", b"read me"),
        ("pytorch_model.bin", b"pickle"),
        ("model.safetensors", &weights),
    ])
}

fn named(name: &str) -> Repository {
    Repository::parse(name.as_ref()).unwrap().unwrap()
}

fn error(hub: &Hub, name: &str) -> String {
    hub.snapshot(&named(name)).unwrap_err().to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_downloaded_once() {
    let (server, _cache, hub) = usual();
    let folder = hub.snapshot(&named("hf:shop/model")).unwrap();
    assert_eq!(folder, hub.cache.join("models--shop--model/snapshots").join(COMMIT));
    assert_eq!(names(&folder), ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(std::fs::read(folder.join("config.json")).unwrap(), CONFIG.1);
    assert!(server.asked().contains(&"/cdn/model.safetensors".to_string()));

    assert_eq!(hub.snapshot(&named("hf:shop/model")).unwrap(), folder);
    assert_eq!(server.asked(), ["/api/models/shop/model/revision/main"]);
    assert_eq!(hub.snapshot(&named(&format!("hf:shop/model@{COMMIT}"))).unwrap(), folder);
    assert_eq!(server.asked(), [format!("/api/models/shop/model/revision/{COMMIT}")]);
}

#[test]
fn offline_the_cache_serves() {
    let (server, _cache, hub) = usual();
    let offline = Hub { offline: true, ..hub.clone() };
    let absent = "hf:shop/model: not in the cache, and HF_HUB_OFFLINE forbids to download it; unset \
                  HF_HUB_OFFLINE, or give the model's folder";
    assert_eq!(error(&offline, "hf:shop/model"), absent);
    let folder = hub.snapshot(&named("hf:shop/model")).unwrap();
    server.asked();
    assert_eq!(offline.snapshot(&named("hf:shop/model")).unwrap(), folder);
    assert_eq!(offline.snapshot(&named(&format!("hf:shop/model@{COMMIT}"))).unwrap(), folder);
    assert_eq!(server.asked(), [""; 0]);
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    assert_eq!(error(&offline, "hf:shop/model"), absent);
}

#[test]
fn without_an_answer_the_cache_serves() {
    let (server, _cache, hub) = usual();
    let folder = hub.snapshot(&named("hf:shop/model")).unwrap();
    server.feel(Mood::Fails);
    assert_eq!(hub.snapshot(&named("hf:shop/model")).unwrap(), folder);
    let address = &server.played.address;
    assert_eq!(
        error(&hub, "hf:shop/other"),
        format!("hf:shop/other: {address} answers with status 503; try again later")
    );
    // A port on which no one listens any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let alone = Hub { endpoint: format!("http://127.0.0.1:{port}"), ..hub };
    assert_eq!(alone.snapshot(&named("hf:shop/model")).unwrap(), folder);
    let told = error(&alone, "hf:shop/other");
    let start = format!("hf:shop/other: cannot be downloaded from http://127.0.0.1:{port}: ");
    assert!(told.starts_with(&start), "{told}");
    assert!(told.ends_with("; try again, or give the model's folder"), "{told}");
    assert!(!told.contains('\n'), "{told}");
}

#[test]
fn a_revision_has_a_folder_of_its_own() {
    let (_server, _cache, hub) = usual();
    let folder = hub.snapshot(&named("hf:shop/model@v1")).unwrap();
    assert!(folder.ends_with(OLD));
    assert!(hub.snapshot(&named("hf:shop/model")).unwrap().ends_with(COMMIT));
    let offline = Hub { offline: true, ..hub };
    assert_eq!(offline.snapshot(&named("hf:shop/model@v1")).unwrap(), folder);
}

#[test]
fn what_does_not_exist_is_named() {
    let (server, _cache, hub) = usual();
    let address = &server.played.address;
    let lost =
        |name: &str| format!("{name}: not found at {address}; look for a mistake in its name");
    assert_eq!(error(&hub, "hf:nobody/model"), lost("hf:nobody/model"));
    assert_eq!(error(&hub, "hf:shop/model@v9"), lost("hf:shop/model@v9"));
    let closed = format!(
        "hf:shop/secret: {address} does not give it out: there is no such model, or it is private or \
         gated; set HF_TOKEN to a token that may read it"
    );
    assert_eq!(error(&hub, "hf:shop/secret"), closed);
    let with_token = Hub { token: Some("opensesame".into()), ..hub };
    assert!(with_token.snapshot(&named("hf:shop/secret")).is_ok());
}

#[test]
fn a_model_without_weights_or_configuration_is_refused() {
    let lacks = |file: &str| {
        format!("hf:shop/model: has no {file}; a model needs config.json and model.safetensors")
    };
    let (_server, _cache, without) = hub(&[CONFIG, ("pytorch_model.bin", b"pickle")]);
    assert_eq!(error(&without, "hf:shop/model"), lacks("model.safetensors"));
    let (_server, _cache, without) = hub(&[("model.safetensors", b"weights")]);
    assert_eq!(error(&without, "hf:shop/model"), lacks("config.json"));
}

#[test]
fn shards_come_by_their_index() {
    let index = br#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
    let (one, two): ([_; 2], _) = ([("one.safetensors", b"1" as &[u8]), CONFIG], b"22");
    let index = ("model.safetensors.index.json", index as &[u8]);
    let (_server, _cache, whole) = hub(&[one[0], one[1], ("two.safetensors", two), index]);
    let folder = whole.snapshot(&named("hf:shop/model")).unwrap();
    assert_eq!(
        names(&folder),
        ["config.json", "model.safetensors.index.json", "one.safetensors", "two.safetensors"]
    );
    let offline = Hub { offline: true, ..whole };
    assert_eq!(offline.snapshot(&named("hf:shop/model")).unwrap(), folder);
    std::fs::remove_file(folder.join("two.safetensors")).unwrap();
    assert!(offline.snapshot(&named("hf:shop/model")).is_err());

    let (_server, _cache, lacking) = hub(&[one[0], one[1], index]);
    assert!(error(&lacking, "hf:shop/model").starts_with("hf:shop/model: has no two.safetensors"));
    let outside = br#"{"weight_map": {"a": "../../outside"}}"#;
    let (_server, _cache, leading) = hub(&[CONFIG, ("model.safetensors.index.json", outside)]);
    assert_eq!(
        error(&leading, "hf:shop/model"),
        "hf:shop/model: model.safetensors.index.json: \"../../outside\" is no file's name"
    );
}

#[test]
fn a_download_that_breaks_off_goes_on_and_one_that_ends_early_is_refused() {
    let (server, _cache, hub) = usual();
    server.feel(Mood::BreaksOffOnce);
    let folder = hub.snapshot(&named("hf:shop/model")).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights());

    let (server, _cache, hub) = usual();
    server.feel(Mood::CutsShort);
    assert_eq!(
        error(&hub, "hf:shop/model"),
        "hf:shop/model: model.safetensors: 50001 bytes came instead of 100000; try again"
    );
    server.feel(Mood::Well);
    let folder = hub.snapshot(&named("hf:shop/model")).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights());
}
