//! `--keep`: everything stays, with commands to play with it.

use std::path::Path;

use crate::acts::Play;
use crate::cluster::{ACCOUNT, quoted};
use crate::failure::Failure;

/// Says how to play, then waits: Ctrl-C ends the demo from outside.
pub(crate) async fn until_the_end(play: &mut Play<'_>) -> Result<(), Failure> {
    let Play {
        screen,
        cluster,
        okta,
        ..
    } = play;
    let namespace = &cluster.namespace;
    let path = |path: &Path| quoted(&path.display().to_string());
    let curl = format!("curl -s -K {} {}", path(okta.curl()), okta.url());

    screen.act(8, "Yours to play with");
    screen.say("Everything runs until you press Ctrl-C here. In another terminal:");
    screen.line("");
    screen.block(&format!("export KUBECONFIG={}", path(cluster.kubeconfig())));
    if cluster.kubectl().is_absolute() {
        screen.block(&format!("alias kubectl={}", path(cluster.kubectl())));
    }
    let patch = |spec: &str| {
        format!(
            "kubectl -n {namespace} patch n4jsa {ACCOUNT} --type merge -p '{{\"spec\":{{{spec}}}}}'"
        )
    };
    for (what, command) in [
        (
            "Watch the account",
            format!("kubectl -n {namespace} get n4jsa -o wide -w"),
        ),
        (
            "Ask for a new token",
            format!(
                "kubectl -n {namespace} annotate n4jsa {ACCOUNT} neo4j-okta.dev/renew=$(date +%s) --overwrite"
            ),
        ),
        ("Change its groups", patch(r#""groups":["neo4j_reader"]"#)),
        ("Suspend it (false resumes)", patch(r#""suspended":true"#)),
        ("The apps at Okta", format!("{curl}/api/v1/apps")),
        (
            "Every call that Okta has served",
            format!("{curl}/emulator/requests"),
        ),
        (
            "The operator's log",
            format!("tail -f {}", path(play.operator.log())),
        ),
    ] {
        screen.line("");
        screen.note(what);
        screen.block(&command);
    }
    play.the_operator_ends().await
}
