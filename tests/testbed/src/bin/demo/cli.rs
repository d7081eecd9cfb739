//! The command line. What is wrong with it ends the demo with one line and exit
//! code 64 (EX_USAGE), as with the operator.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

const EX_USAGE: u8 = 64;

/// Shows the life of one account: a real control plane (or your cluster), the
/// operator, and an emulated Okta, all on this machine.
///
/// Needs Rust and Go. The first run builds everything, which takes about 11
/// minutes on two idle cores; the story itself takes less than two. Everything
/// is ended, and with --kubeconfig removed, at the end.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
pub(crate) struct Options {
    /// Leave everything running after the seventh act, to play with; Ctrl-C
    /// ends it.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Use the cluster of this file's current context (kind, minikube …)
    /// instead of starting one; kubectl must be on the PATH. What the demo
    /// creates there it removes again.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// No colours; NO_COLOR in the environment does the same.
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// Parses, or prints what is to be said instead and returns the exit code.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Options, ExitCode> {
    Options::try_parse_from(arguments).map_err(|error| {
        let text = error.to_string();
        if error.use_stderr() {
            eprintln!("{}", one_line(&text));
            return ExitCode::from(EX_USAGE);
        }
        println!("{}", text.trim_end());
        ExitCode::SUCCESS
    })
}

/// The first paragraph, which says what is wrong, as one line.
fn one_line(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_flags_is_sound() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        for arguments in [&["demo", "--frobnicate"][..], &["demo", "--kubeconfig"]] {
            let error = Options::try_parse_from(arguments).unwrap_err().to_string();
            let line = one_line(&error);
            assert!(
                line.contains(arguments[1]) && !line.contains('\n'),
                "{line}"
            );
        }
    }
}
