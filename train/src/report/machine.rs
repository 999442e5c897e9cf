//! What computed the run.

use std::fs;
use std::thread::available_parallelism;
use tensor::Float;

/// Names and values: the machine, then the versions.
pub(super) fn facts() -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(name) = line_of("/proc/cpuinfo", "model name") {
        facts.push(("processor", name));
    }
    if let Ok(cores) = available_parallelism() {
        facts.push(("cores", cores.to_string()));
    }
    facts.push(("threads", rayon::current_num_threads().to_string()));
    let memory = line_of("/proc/meminfo", "MemTotal");
    let kibibytes = memory.and_then(|text| text.strip_suffix("kB")?.trim().parse::<f64>().ok());
    if let Some(kibibytes) = kibibytes {
        facts.push(("memory", format!("{:.1} GiB", kibibytes / (1 << 20) as f64)));
    }
    facts.push(("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)));
    facts.push(("attendant", env!("CARGO_PKG_VERSION").into()));
    facts.push(("numbers", format!("{} bits", 8 * size_of::<Float>())));
    facts.push(("Rust", format!("edition 2024, {} or later", env!("CARGO_PKG_RUST_VERSION"))));
    facts
}

/// What stands after `name:` in a file of the system, where it has one.
fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start().strip_prefix(':')?.trim().into())
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells() {
        let facts = super::facts();
        for name in ["cores", "threads", "memory", "attendant"] {
            let found = facts.iter().find(|(found, _)| *found == name);
            assert!(found.is_some_and(|(_, value)| !value.is_empty()), "{name}: {facts:?}");
        }
        assert_eq!(super::line_of("/proc/meminfo", "NoSuchLine"), None);
        assert_eq!(super::line_of("/no/such/file", "MemTotal"), None);
    }
}
