//! Completion of this plugin's words. kubectl runs `kubectl_complete-neo4jsa` with
//! the words typed so far, the last one unfinished, and reads a candidate a line
//! and then a directive. Names come from the cluster; no answer means no names.

use clap::{Arg, Command};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};

use super::cli::{ClusterFlags, command};
use super::failure::Failure;
use super::session::{Session, out};
use crate::api::OktaIssuer;

/// What `completion` prints.
pub(super) const SCRIPT: &str = "#!/bin/sh
# Lets kubectl complete the words of kubectl neo4jsa; must be on PATH under the
# name kubectl_complete-neo4jsa.
exec kubectl neo4jsa __complete -- \"$@\"
";

/// Cobra's directives: files may follow, or nothing but what is listed.
const FILES: &str = ":0";
const NO_FILES: &str = ":4";

/// What may stand in the place of the unfinished word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// One of these, each with what it means.
    Words(Vec<(String, String)>),
    Accounts,
    Issuers,
    Namespaces,
    Files,
    Nothing,
}

pub(super) async fn run(words: &[String]) -> Result<u8, Failure> {
    let (unfinished, before) = words
        .split_last()
        .map_or(("", words), |(last, before)| (last.as_str(), before));
    let wanted = wanted(&command(), before, unfinished);
    let directive = match wanted {
        Wanted::Files => FILES,
        _ => NO_FILES,
    };
    let candidates = match wanted {
        Wanted::Words(words) => words,
        Wanted::Files | Wanted::Nothing => Vec::new(),
        names => {
            let names = self::names(&names, &flags(before)).await;
            names
                .into_iter()
                .map(|name| (name, String::new()))
                .collect()
        }
    };
    let mut text = String::new();
    for (word, meaning) in candidates {
        if word.starts_with(unfinished) && !before.contains(&word) {
            text.push_str(&match meaning.as_str() {
                "" => format!("{word}\n"),
                meaning => format!("{word}\t{meaning}\n"),
            });
        }
    }
    out(&format!("{text}{directive}\n"))?;
    Ok(0)
}

async fn names(wanted: &Wanted, flags: &ClusterFlags) -> Vec<String> {
    let Ok(session) = Session::open(flags).await else {
        return Vec::new();
    };
    let all = ListParams::default();
    let client = session.client.clone();
    let listed = match wanted {
        Wanted::Accounts => listed(session.accounts().list_metadata(&all).await),
        Wanted::Issuers => listed(Api::<OktaIssuer>::all(client).list_metadata(&all).await),
        Wanted::Namespaces => listed(Api::<Namespace>::all(client).list_metadata(&all).await),
        Wanted::Words(_) | Wanted::Files | Wanted::Nothing => None,
    };
    listed.unwrap_or_default()
}

fn listed<K>(
    list: Result<kube::core::ObjectList<PartialObjectMeta<K>>, kube::Error>,
) -> Option<Vec<String>>
where
    K: Clone,
    PartialObjectMeta<K>: ResourceExt,
{
    Some(list.ok()?.iter().map(ResourceExt::name_any).collect())
}

fn wanted(root: &Command, before: &[String], unfinished: &str) -> Wanted {
    let (subcommand, positionals) = so_far(root, before);
    let arguments = |name: &str| argument(root, subcommand, name);
    if let Some(flag) = before.last().and_then(|word| valued(arguments(word)?)) {
        return value(flag);
    }
    if unfinished.starts_with('-') {
        let flags = root.get_arguments().filter(|a| a.is_global_set());
        let own = subcommand.into_iter().flat_map(Command::get_arguments);
        let words = own.chain(flags).filter(|a| !a.is_hide_set());
        return Wanted::Words(words.filter_map(long).collect());
    }
    let Some(subcommand) = subcommand else {
        let shown = root.get_subcommands().filter(|c| !c.is_hide_set());
        return Wanted::Words(
            shown
                .map(|c| (c.get_name().to_owned(), meaning(c.get_about())))
                .collect(),
        );
    };
    let mut names = subcommand.get_positionals();
    match names.next() {
        Some(name) if name.get_id() == "issuer" && positionals == 0 => Wanted::Issuers,
        Some(name) if name.get_id() == "issuers" => Wanted::Issuers,
        Some(name) if name.get_id() == "names" => Wanted::Accounts,
        Some(name) if name.get_id() == "name" && positionals == 0 => Wanted::Accounts,
        _ => Wanted::Nothing,
    }
}

/// The subcommand among the words, and how many words follow it that are neither
/// flags nor their values.
fn so_far<'a>(root: &'a Command, before: &[String]) -> (Option<&'a Command>, usize) {
    let (mut subcommand, mut positionals) = (None, 0);
    let mut words = before.iter();
    while let Some(word) = words.next() {
        if word.starts_with('-') {
            if argument(root, subcommand, word).and_then(valued).is_some() {
                words.next();
            }
        } else if subcommand.is_none() {
            subcommand = root.find_subcommand(word);
        } else {
            positionals += 1;
        }
    }
    (subcommand, positionals)
}

/// The argument that a word such as `-n` or `--namespace` is.
fn argument<'a>(root: &'a Command, subcommand: Option<&'a Command>, word: &str) -> Option<&'a Arg> {
    let is = |argument: &&Arg| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        [long, short].into_iter().flatten().any(|name| name == word)
    };
    let own = subcommand.into_iter().flat_map(Command::get_arguments);
    own.chain(root.get_arguments()).find(is)
}

/// The argument, if its value is a word of its own.
fn valued(argument: &Arg) -> Option<&Arg> {
    let value = argument.get_action().takes_values() && !argument.is_require_equals_set();
    value.then_some(argument)
}

fn value(flag: &Arg) -> Wanted {
    match flag.get_id().as_str() {
        "namespace" | "operator_namespace" => Wanted::Namespaces,
        "issuer" => Wanted::Issuers,
        "kubeconfig" => Wanted::Files,
        _ => {
            let forms = flag.get_possible_values().into_iter();
            let words: Vec<_> = forms
                .map(|form| (form.get_name().to_owned(), meaning(form.get_help())))
                .collect();
            match words.is_empty() {
                true => Wanted::Nothing,
                false => Wanted::Words(words),
            }
        }
    }
}

fn long(argument: &Arg) -> Option<(String, String)> {
    Some((
        format!("--{}", argument.get_long()?),
        meaning(argument.get_help()),
    ))
}

fn meaning(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// The flags for the cluster among the words, which as a whole are unfinished.
fn flags(before: &[String]) -> ClusterFlags {
    let value = |names: &[&str]| {
        let mut words = before.iter();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some((name, value)) if names.contains(&name) => return Some(value.to_owned()),
                _ if names.contains(&word.as_str()) => return words.next().cloned(),
                _ => {}
            }
        }
        None
    };
    ClusterFlags {
        kubeconfig: value(&["--kubeconfig"]).map(Into::into),
        context: value(&["--context"]),
        cluster: value(&["--cluster"]),
        user: value(&["--user"]),
        namespace: value(&["-n", "--namespace"]),
        impersonate: value(&["--as"]),
        impersonate_groups: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Wanted {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let (last, before) = words.split_last().unwrap();
        wanted(&command(), before, last)
    }

    fn offers(wanted: &Wanted, word: &str) -> bool {
        matches!(wanted, Wanted::Words(words) if words.iter().any(|(w, _)| w == word))
    }

    #[test]
    fn each_place_offers_what_may_stand_there() {
        assert!(offers(&typed(&[""]), "status"));
        assert!(offers(&typed(&["-n", "payments", ""]), "renew"));
        assert!(!offers(&typed(&[""]), "__complete"));
        assert!(offers(&typed(&["status", "-o", ""]), "wide"));
        assert!(offers(&typed(&["status", "--s"]), "--selector"));
        assert!(offers(&typed(&["config", "--format", ""]), "helm"));
        assert!(offers(&typed(&["renew", "--"]), "--namespace"));
        for (words, wanted) in [
            (&["renew", ""][..], Wanted::Accounts),
            (&["status", "etl", ""], Wanted::Accounts),
            (&["renew", "etl", ""], Wanted::Nothing),
            (&["renew", "-n", ""], Wanted::Namespaces),
            (&["renew", "-n", "payments", ""], Wanted::Accounts),
            (&["renew", "--wait", ""], Wanted::Accounts),
            (&["orphans", "--issuer", ""], Wanted::Issuers),
            (&["doctor", ""], Wanted::Issuers),
            (&["doctor", "--mint", ""], Wanted::Issuers),
            (&["doctor", "default", ""], Wanted::Nothing),
            (&["config", "default", ""], Wanted::Issuers),
            (&["--kubeconfig", ""], Wanted::Files),
            (&["renew", "etl", "--timeout", ""], Wanted::Nothing),
        ] {
            assert_eq!(typed(words), wanted, "{words:?}");
        }
    }

    #[test]
    fn names_are_asked_for_where_the_words_so_far_say() {
        let words = ["--context=prod", "renew", "-n", "payments"].map(str::to_owned);
        let flags = flags(&words);
        assert_eq!(flags.context.as_deref(), Some("prod"));
        assert_eq!(flags.namespace.as_deref(), Some("payments"));
    }
}
