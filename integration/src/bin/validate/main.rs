//! Checks a config before it is loaded: a bootstrap, a file of listeners or filters (LDS, ECDS), or the
//! `listener_filters` of a listener, by a stock Envoy with the module. Says what is wrong in the module's own words.

mod wrap;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use lab::{Version, validate, validate_file};
use serde_json::Value;

use wrap::{wrap, wrap_filters};

/// What a bootstrap has that lets Envoy fetch the rest later: that is not checked with it.
const FETCHED: [&str; 2] = ["config_discovery", "lds_config"];

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("usage: validate FILE");
        return ExitCode::FAILURE;
    };
    let path = Path::new(&file);
    let versions = Version::under_test();
    // The newest, unless ENVOY_VERSION names one.
    let version = *versions.last().expect("a version");
    match check(path, version) {
        Ok(notes) => {
            println!("{}: good for Envoy {version}", path.display());
            notes.iter().for_each(|note| println!("{note}"));
            ExitCode::SUCCESS
        }
        Err(reasons) => {
            eprintln!("{}: refused by Envoy {version}:\n{reasons}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// What else there is to say of a good file, or the reasons why it is none.
fn check(path: &Path, version: Version) -> Result<Vec<String>, String> {
    // Envoy runs in another directory.
    let path = path.canonicalize().map_err(|error| error.to_string())?;
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
    let wrapped = match (value.get("resources"), value.get("listener_filters")) {
        (Some(resources), _) => Some(wrap(resources)?),
        (None, Some(filters)) => Some(wrap_filters(filters)),
        (None, None) => None,
    };
    match wrapped {
        Some(config) => {
            validate(version, &config).map_err(|log| reasons(&log))?;
            Ok(Vec::new())
        }
        None => {
            validate_file(version, &path).map_err(|log| reasons(&log))?;
            let fetched = FETCHED.iter().filter(|field| text.contains(**field));
            Ok(fetched
                .map(|field| format!("{field}: what Envoy fetches is not checked: give its file"))
                .collect())
        }
    }
}

/// The errors in a log, without Envoy's time stamps and places; all of it if there are none.
fn reasons(log: &str) -> String {
    let is_error = |line: &str| line.contains("][error][") || line.contains("][critical][");
    let text = |line: &str| match line
        .split_once("] [")
        .and_then(|(_, rest)| rest.split_once("] "))
    {
        Some((_, text)) => format!("  {text}"),
        None => format!("  {line}"),
    };
    // What an error says may go on in lines without a head.
    let mut is_inside = false;
    let lines = log.lines().filter(|line| {
        if line.starts_with('[') {
            is_inside = is_error(line);
        }
        is_inside
    });
    let reasons: Vec<String> = lines.map(text).collect();
    match reasons.is_empty() {
        true => log.to_owned(),
        false => reasons.join("\n"),
    }
}
