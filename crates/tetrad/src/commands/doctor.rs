//! `tetrad doctor`: what this machine can do, what is missing, and how to get it.

use serde::Serialize;

use crate::exit::Status;
use crate::host;
use crate::output::Output;

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    group: &'static str,
    name: String,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    /// Missing, and something embedded or nothing at all takes its place.
    Optional,
    /// Missing, and `chess` cannot run games without it.
    Missing,
}

/// Looks, prints, and answers 3 when something needed is missing.
pub(crate) fn run(output: &Output) -> anyhow::Result<Status> {
    let mut findings = sandbox_findings();
    findings.extend(program_findings());
    findings.extend(machine_findings());
    findings.extend(model_findings());
    output.answer("tetrad.doctor", &findings, || text(&findings))?;
    let missing = findings.iter().any(|finding| finding.state == State::Missing);
    Ok(if missing { Status::Unavailable } else { Status::Ok })
}

fn sandbox_findings() -> Vec<Finding> {
    let required = chess::task::setup::required_protections();
    sandbox::probe(&sandbox::Launcher::this_program())
        .into_iter()
        .map(|(protection, status)| {
            let (state, detail) = match status {
                sandbox::outcome::Status::Enforced(how) => (State::Ok, how),
                sandbox::outcome::Status::Missing(why) if required.contains(&protection) => {
                    (State::Missing, why)
                }
                sandbox::outcome::Status::Missing(why) => (State::Optional, why),
            };
            let hint = (state == State::Missing).then(|| {
                "see crates/sandbox/README.md for what each protection asks of the kernel".into()
            });
            Finding { group: "sandbox", name: protection_name(protection), state, detail, hint }
        })
        .collect()
}

/// The kebab-case name, as in manifests and reports.
fn protection_name(protection: sandbox::policy::Protection) -> String {
    serde_json::to_value(protection)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_else(|| format!("{protection:?}"))
}

fn program_findings() -> Vec<Finding> {
    let wanted = [
        (
            "stockfish",
            host::stockfish(),
            "chess uses its embedded engine, and says so in every report",
            "apt-get install stockfish",
        ),
        (
            "python3",
            host::python(),
            "chess uses the POSIX sh game script",
            "apt-get install python3",
        ),
        (
            "cc",
            host::c_compiler(),
            "players that need a compiler are skipped by name",
            "apt-get install gcc libc6-dev",
        ),
    ];
    wanted
        .into_iter()
        .map(|(name, program, instead, install)| match program {
            Some(program) => Finding {
                group: "programs",
                name: name.to_owned(),
                state: State::Ok,
                detail: format!("{} at {}", program.version, program.path.display()),
                hint: None,
            },
            None => Finding {
                group: "programs",
                name: name.to_owned(),
                state: State::Optional,
                detail: format!("not found; {instead}"),
                hint: Some(install.to_owned()),
            },
        })
        .collect()
}

fn machine_findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let features = cpu_features();
    findings.push(Finding {
        group: "machine",
        name: "cpu".to_owned(),
        state: State::Ok,
        detail: format!(
            "{cores} cores; {}",
            if features.is_empty() {
                "no SIMD extensions found".into()
            } else {
                features.join(", ")
            }
        ),
        hint: None,
    });
    findings.push(Finding {
        group: "machine",
        name: "vectors".to_owned(),
        state: State::Ok,
        detail: format!("{} for models; TETRAD_CPU limits it", nn::Cpu::best().names().join(" ")),
        hint: None,
    });
    let gpu = std::path::Path::new("/dev/nvidiactl").exists();
    findings.push(Finding {
        group: "machine",
        name: "gpu".to_owned(),
        state: if gpu { State::Ok } else { State::Optional },
        detail: if gpu {
            "NVIDIA driver present".into()
        } else {
            "no NVIDIA driver; nothing here needs one".into()
        },
        hint: None,
    });
    findings
}

fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let mut found = Vec::new();
        for (name, present) in [
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("FMA", std::arch::is_x86_feature_detected!("fma")),
            ("AVX-512F", std::arch::is_x86_feature_detected!("avx512f")),
            ("AVX-512 BF16", std::arch::is_x86_feature_detected!("avx512bf16")),
            ("AVX-512 VNNI", std::arch::is_x86_feature_detected!("avx512vnni")),
        ] {
            if present {
                found.push(name);
            }
        }
        found
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Vec::new()
    }
}

fn model_findings() -> Vec<Finding> {
    [("OPENAI_API_KEY", "openai:MODEL"), ("ANTHROPIC_API_KEY", "anthropic:MODEL")]
        .into_iter()
        .map(|(variable, model)| {
            let set = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
            Finding {
                group: "models",
                name: model.to_owned(),
                state: if set { State::Ok } else { State::Optional },
                detail: if set {
                    format!("{variable} is set (its value is never printed or logged)")
                } else {
                    format!("{variable} is not set; scripted players need no model")
                },
                hint: (!set).then(|| format!("export {variable}=...")),
            }
        })
        .collect()
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut group = "";
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for finding in findings {
        if finding.group != group {
            group = finding.group;
            text.push_str(&format!("{}{group}\n", if text.is_empty() { "" } else { "\n" }));
        }
        let mark = match finding.state {
            State::Ok => "ok      ",
            State::Optional => "absent  ",
            State::Missing => "MISSING ",
        };
        text.push_str(&format!("  {mark}{:width$}  {}\n", finding.name, finding.detail));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("          {:width$}  hint: {hint}\n", ""));
        }
    }
    text.push_str("\nenvironment variables\n");
    for (name, meaning) in host::VARIABLES {
        let value = std::env::var(name).map_or("unset".into(), |value| format!("`{value}`"));
        text.push_str(&format!("  {name}  {meaning}; {value}\n"));
    }
    text
}
