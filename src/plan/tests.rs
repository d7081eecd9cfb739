//! Properties of the planner against a small model of Okta and Kubernetes: from
//! any state that people, crashes and refusals can lead to, it converges in a
//! bounded number of steps and then does nothing.

#[path = "tests_acts.rs"]
mod acts;
#[path = "tests_kstatus.rs"]
mod kstatus;
#[path = "tests_model.rs"]
mod model;

use std::time::Duration;

use proptest::prelude::*;

use super::step::Step;
use super::{Next, Wish};
use acts::{Act, perform, settle};
use model::{Model, Trouble};

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0u8..4).prop_map(Act::Groups),
        1 => (0u8..3).prop_map(Act::Label),
        1 => any::<bool>().prop_map(Act::Suspend),
        1 => any::<bool>().prop_map(Act::Allow),
        1 => (0u8..3).prop_map(Act::Renew),
        2 => (0u8..3).prop_map(Act::Restore),
        3 => (1u32..5000).prop_map(Act::Pass),
        2 => Just(Act::Restart),
        1 => Just(Act::DeleteToken),
        1 => Just(Act::DeleteCredentials),
        1 => Just(Act::DisableApp),
        1 => Just(Act::DeleteApp),
        1 => Just(Act::AddForeignSecret),
        1 => Just(Act::SwitchDpopOn),
        2 => Just(Act::TakeGroups),
        2 => any::<bool>().prop_map(Act::Notice),
        1 => (0u8..3).prop_map(Act::Method),
        2 => (0u8..3).prop_map(Act::Rotate),
        1 => any::<bool>().prop_map(Act::RotateEvery),
        6 => (proptest::option::of(0u8..12), proptest::option::of(trouble())).prop_map(|(crash_after, trouble)| Act::Reconcile { crash_after, trouble }),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![Just(Trouble::LostBefore), Just(Trouble::LostAfter)]
}

proptest! {
    #[test]
    fn whatever_happens_it_converges_and_then_writes_nothing(acts in proptest::collection::vec(act(), 0..30), neo4j in proptest::option::of(any::<bool>())) {
        let mut model = neo4j.map_or_else(Model::new, Model::with_neo4j);
        for act in &acts {
            perform(&mut model, act);
        }
        settle(&mut model);
        // The next token meets what others did to the app meanwhile.
        model.pass(Duration::from_secs(3000));
        let end = settle(&mut model);
        model.check();
        if matches!(end, Next::Settled { .. }) {
            model.check_settled();
        }
        let writes = model.writes;
        for _ in 0..3 {
            model.pass(Duration::from_secs(60));
            if !model.due() {
                model.reconcile(None, None);
            }
        }
        if !model.due() {
            prop_assert_eq!(model.writes, writes, "writes although nothing happened:\n{}", model.story());
        }
    }

    #[test]
    fn a_deletion_at_any_moment_leaves_no_app_of_ours_and_no_finalizer(acts in proptest::collection::vec(act(), 0..20), private in any::<bool>(), neo4j in proptest::option::of(any::<bool>())) {
        let mut model = neo4j.map_or_else(Model::new, Model::with_neo4j);
        for act in &acts {
            perform(&mut model, act);
        }
        model.desired.wish = Wish::Deleted { abandon: false };
        model.desired.issuer.private_namespace = private.then(|| "operator".to_owned());
        for _ in 0..40 {
            model.reconcile(None, None);
            model.pass(Duration::from_secs(61));
        }
        prop_assert!(!model.finalizer, "{}", model.story());
        prop_assert!(model.our_apps().is_empty(), "{}", model.story());
        prop_assert!(!private || model.credentials.is_none(), "{}", model.story());
    }
}

#[test]
fn the_first_registration_takes_exactly_these_steps() {
    let mut model = Model::new();
    model.reconcile(None, None);
    model.pass(Duration::from_secs(2));
    model.reconcile(None, None);
    let names: Vec<&str> = model.trace.iter().map(Step::name).collect();
    assert_eq!(
        names,
        [
            "AddFinalizer",
            "Stage",
            "ConfirmAccount",
            "CreateApp",
            "Admit",
            "Admit",
            "Mint",
            "Promote",
            "Publish"
        ]
    );
}

#[test]
fn a_refresh_is_one_token_and_one_write_of_the_secret() {
    let mut model = Model::new();
    settle(&mut model);
    model.trace.clear();
    model.pass(Duration::from_secs(2401));
    model.reconcile(None, None);
    let names: Vec<&str> = model.trace.iter().map(Step::name).collect();
    assert_eq!(names, ["Mint", "Publish"]);
}

#[test]
fn an_app_that_the_status_never_named_is_kept_true_all_the_same() {
    let mut model = Model::new();
    settle(&mut model);
    model.status = None;
    model.restart();
    model.desired.groups = ["another".to_owned()].into();
    settle(&mut model);
    model.check_settled();
    // And it is missed when somebody deletes it.
    model.status = None;
    model.restart();
    model.delete_by_admin();
    model.pass(Duration::from_secs(2401));
    settle(&mut model);
    assert!(model.token.is_none(), "{}", model.story());
    model.desired.restore = Some("1".to_owned());
    settle(&mut model);
    model.check_settled();
}

#[test]
fn a_clock_that_was_ahead_and_is_set_right_does_not_let_the_token_go_stale() {
    let mut model = Model::new();
    settle(&mut model);
    model.trace.clear();
    model.turn_back(Duration::from_secs(2 * 3600));
    model.reconcile(None, None);
    let names: Vec<&str> = model.trace.iter().map(Step::name).collect();
    assert_eq!(names, ["Mint", "Publish"]);
}

#[test]
fn a_change_of_method_survives_an_okta_that_takes_no_secret_of_ours() {
    let mut model = Model::new();
    model.okta_makes_secrets = true;
    model.desired.authentication = crate::api::Authentication::PrivateKeyJwt;
    settle(&mut model);
    model.desired.authentication = crate::api::Authentication::ClientSecretBasic;
    let end = settle(&mut model);
    assert!(matches!(end, Next::Settled { .. }), "{}", model.story());
    model.check_settled();
}

#[test]
fn a_lost_group_is_withdrawn_after_five_minutes_even_if_okta_is_away() {
    let mut model = Model::new();
    model.desired.groups = ["admin".to_owned(), "reader".to_owned()].into();
    settle(&mut model);
    model.desired.groups = ["reader".to_owned()].into();
    model.okta_down = true;
    model.reconcile(None, None);
    assert!(model.token.is_some());
    model.pass(Duration::from_secs(301));
    model.reconcile(None, None);
    assert!(model.token.is_none(), "{:?}", model.trace);
}

#[test]
fn groups_taken_out_at_okta_are_put_back_once_and_the_second_time_is_respected() {
    let mut model = Model::new();
    settle(&mut model);
    for (round, disputed) in [(0, false), (1, true)] {
        model.take_groups_by_admin();
        model.notice(false);
        // Long after our own write, so that it is not taken for Okta's delay.
        model.pass(Duration::from_secs(120));
        let end = model.reconcile(None, None);
        assert_eq!(
            model.token.is_none(),
            disputed,
            "round {round}: {end:?}\n{}",
            model.story()
        );
        model.restart(); // forgets nothing of this
    }
    let end = model.reconcile(None, None);
    let Next::Blocked(blocked) = end else {
        panic!("{end:?}")
    };
    assert!(
        blocked.message.contains("by Jane Doe"),
        "{}",
        blocked.message
    );
    // Resumed, and a day later it may happen once again.
    model.desired.restore = Some("1".to_owned());
    settle(&mut model);
    assert!(model.token.is_some());
    model.pass(Duration::from_secs(25 * 3600));
    settle(&mut model);
    model.take_groups_by_admin();
    model.notice(false);
    settle(&mut model);
    model.check_settled();
}

#[test]
fn a_process_that_has_just_started_takes_no_new_app_for_absent_before_a_minute_has_passed() {
    let mut model = Model::new();
    model.reconcile(None, None);
    assert_eq!(model.our_apps().len(), 1);
    // It ends before it is listed, and Okta does not show the app everywhere yet.
    model.restart();
    model.hidden = true;
    for _ in 0..5 {
        model.reconcile(None, None);
        model.check();
        model.pass(Duration::from_secs(2));
    }
    model.hidden = false;
    settle(&mut model);
    assert_eq!(model.our_apps().len(), 1, "{}", model.story());
    model.check_settled();
}

#[test]
fn an_account_that_resumes_before_the_issuer_took_it_off_the_list_stays_on_it() {
    let mut model = Model::new();
    settle(&mut model);
    model.desired.wish = Wish::Suspended;
    model.reconcile(None, None);
    model.desired.wish = Wish::Live;
    for _ in 0..3 {
        model.reconcile(None, None);
    }
    // The issuer comes to its lists.
    model.pass(Duration::from_secs(61));
    model.reconcile(None, None);
    model.check_settled();
}

#[test]
fn a_deletion_takes_no_app_for_gone_that_okta_does_not_show_yet() {
    // The account had its token, or its app was created a moment ago.
    for crash_after in [None, Some(4)] {
        let mut model = Model::new();
        model.reconcile(crash_after, None);
        assert_eq!(model.our_apps().len(), 1, "{}", model.story());
        model.hidden = true;
        if crash_after.is_some() {
            model.restart();
        } else {
            model.desired.wish = Wish::Suspended;
            model.reconcile(None, None);
        }
        model.desired.wish = Wish::Deleted { abandon: false };
        for _ in 0..5 {
            model.reconcile(None, None);
            model.pass(Duration::from_secs(2));
        }
        assert!(model.finalizer, "{}", model.story());
        model.hidden = false;
        for _ in 0..5 {
            model.reconcile(None, None);
            model.pass(Duration::from_secs(2));
        }
        assert!(model.our_apps().is_empty() && !model.finalizer);
    }
}

#[test]
fn a_suspended_account_whose_app_somebody_activates_is_stopped_again() {
    let mut model = Model::new();
    settle(&mut model);
    model.desired.wish = Wish::Suspended;
    settle(&mut model);
    model.activate_by_admin();
    model.restart();
    model.pass(Duration::from_secs(120));
    model.reconcile(None, None);
    model.notice(false);
    model.reconcile(None, None);
    assert!(!model.any_active(), "{}", model.story());
}

#[test]
fn no_file_of_the_planner_asks_for_the_time_or_knows_a_client() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    for file in std::fs::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().contains("tests"))
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        for word in [
            "kube::Client",
            "kube::Api",
            "reqwest",
            "tokio",
            "Timestamp::now",
            "SystemTime",
            "rand::",
            "async fn",
        ] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}
