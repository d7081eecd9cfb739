//! `docs/reference/cli.md` says what the plugin's command line says.
//! `BLESS=1 cargo test --test docs` rewrites it.

use std::fmt::Write as _;

use clap::{Arg, Command};
use neo4j_okta_operator::kubectl;

const HEAD: &str = "# `kubectl neo4jsa`

<!-- Made from the code: BLESS=1 cargo test --test docs -->

The plugin is the binary `kubectl-neo4jsa`; on `PATH`, kubectl finds it. It acts
with the rights of your kubeconfig, and prints neither tokens nor client
credentials. Colours are used on a terminal alone, and not with `NO_COLOR`.
";

#[test]
fn the_committed_reference_of_the_plugin_is_its_help() {
    let path = super::root().join("docs/reference/cli.md");
    let text = reference();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "docs/reference/cli.md is not what the code says: run BLESS=1 cargo test --test docs"
    );
}

#[test]
fn the_command_line_has_no_contradictions_and_every_command_has_examples() {
    let command = kubectl::command();
    command.clone().debug_assert();
    for command in shown(&command) {
        let help = command.get_after_help().map(ToString::to_string);
        assert!(
            help.is_some_and(|help| help.contains("kubectl neo4jsa")),
            "{} has no example",
            command.get_name()
        );
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set())
}

fn reference() -> String {
    let mut command = kubectl::command();
    command.build();
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "\n| Command | What it does |\n|---|---|");
    for command in shown(&command) {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string);
        let _ = writeln!(
            text,
            "| [`{name}`](#{name}) | {} |",
            about.unwrap_or_default()
        );
    }
    let _ = writeln!(text, "\n## For every command\n");
    table(
        &mut text,
        command.get_arguments().filter(|a| a.is_global_set()),
    );
    let codes = command.get_after_help().map(ToString::to_string);
    let _ = writeln!(text, "\n```text\n{}\n```", codes.unwrap_or_default());
    for command in shown(&command) {
        let _ = writeln!(text, "\n## {}\n", command.get_name());
        let about = command.get_long_about().or(command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        let (first, rest) = about.split_once('\n').unwrap_or((&about, ""));
        let _ = writeln!(text, "{first}.");
        if !rest.trim().is_empty() {
            let _ = writeln!(text, "\n{}", rest.trim());
        }
        let _ = writeln!(
            text,
            "\n```sh\n{}\n```\n",
            command
                .clone()
                .render_usage()
                .to_string()
                .trim_start_matches("Usage: ")
        );
        table(
            &mut text,
            command.get_arguments().filter(|a| !a.is_global_set()),
        );
        if let Some(help) = command.get_after_help() {
            let help = help.to_string();
            let mut parts = help.split("\n\n");
            let examples = parts.next().unwrap_or_default();
            let lines = examples.lines().skip(1).map(str::trim).collect::<Vec<_>>();
            let _ = writeln!(text, "\n```sh\n{}\n```", lines.join("\n"));
            for more in parts {
                let _ = writeln!(text, "\n{more}");
            }
        }
    }
    text
}

fn table<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let shown: Vec<&Arg> = arguments
        .filter(|a| !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str()))
        .collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(text, "| Argument | Default | Meaning |\n|---|---|---|");
    for argument in shown {
        let names = argument.get_value_names().unwrap_or_default();
        let value = match argument.get_action().takes_values() {
            true => names.first().map_or("", |name| name.as_str()),
            false => "",
        };
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let flags: Vec<String> = short.into_iter().chain(long).collect();
        let name = format!("{} {value}", flags.join(", "));
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|v| format!("`{}`", v.to_string_lossy()))
            .filter(|_| argument.get_action().takes_values())
            .collect();
        let mut meaning = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let forms = argument.get_possible_values();
        let switch = forms.iter().any(|form| form.get_name() == "true");
        if !forms.is_empty() && argument.get_action().takes_values() && !switch {
            let forms: Vec<_> = forms
                .iter()
                .map(|f| format!("`{}`", f.get_name()))
                .collect();
            let _ = write!(meaning, ": {}", forms.join(", "));
        }
        if let Some(variable) = argument.get_env() {
            let _ = write!(meaning, " (also `{}`)", variable.to_string_lossy());
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            name.trim(),
            defaults.join(" "),
            meaning.replace('|', "\\|").replace('\n', " ")
        );
    }
}
