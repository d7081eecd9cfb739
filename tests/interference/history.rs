//! What becomes of one account in a round: a list of deeds of its owner and of
//! Okta's admins, drawn from the seed, and how it shall stand when all is over.
//! No I/O.

use crate::dice::Dice;

/// The clock moves on this often while deeds are done.
pub(crate) const TICKS: u64 = 8;

const GROUPS: [&[&str]; 4] = [
    &["neo4j_reader"],
    &["neo4j_publisher"],
    &["neo4j_reader", "neo4j_publisher"],
    &["neo4j_architect", "neo4j_reader", "neo4j_editor"],
];
const METHODS: [&str; 3] = ["ClientSecretBasic", "ClientSecretPost", "PrivateKeyJwt"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Create,
    Groups(&'static [&'static str]),
    Method(&'static str),
    Suspend(bool),
    Renew,
    Rotate,
    DropCredentials,
    DropToken,
    EditCredentials,
    EditToken,
    Delete,
    AdminDeactivates,
    AdminDeletes,
    AdminRenames,
    AdminAddsSecret,
}

impl Deed {
    /// After it, credentials may stand in the Secret for a while that Okta does
    /// not know: the design says so of a change of method, and the others mean it.
    pub(crate) fn unsettles_credentials(self) -> bool {
        matches!(
            self,
            Self::Method(_) | Self::EditCredentials | Self::AdminDeletes
        )
    }
}

/// How an account shall stand.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) exists: bool,
    pub(crate) suspended: bool,
    pub(crate) groups: &'static [&'static str],
    pub(crate) method: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Each with the tick it waits for.
    pub(crate) deeds: Vec<(u64, Deed)>,
    /// The rotation that it is created with.
    pub(crate) rotates: bool,
    pub(crate) first: Wanted,
    pub(crate) wanted: Wanted,
}

impl History {
    /// Created, and nothing more.
    pub(crate) fn plain(namespace: &str, name: &str) -> Self {
        let first = Wanted {
            exists: true,
            suspended: false,
            groups: GROUPS[0],
            method: METHODS[0],
        };
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            deeds: vec![(0, Deed::Create)],
            rotates: false,
            wanted: first.clone(),
            first,
        }
    }

    /// Other groups are wanted from now on.
    pub(crate) fn changes_groups(&mut self) -> Deed {
        self.wanted.groups = GROUPS[3];
        Deed::Groups(GROUPS[3])
    }

    pub(crate) fn new(seed: u64, namespace: &str, name: &str) -> Self {
        let mut dice = Dice::new(seed, &format!("history {namespace}/{name}"), 0);
        let first = Wanted {
            exists: true,
            suspended: false,
            groups: dice.pick(&GROUPS),
            method: dice.pick(&METHODS),
        };
        let rotates = dice.per_mille(250);
        let mut tick = dice.between(0, 3);
        let mut wanted = first.clone();
        let mut deeds = vec![(tick, Deed::Create)];
        for _ in 0..dice.between(1, 7) {
            tick += dice.between(0, 3);
            if tick >= TICKS {
                break;
            }
            let deed = another(&mut dice, &wanted);
            match deed {
                Deed::Create => {
                    wanted = Wanted {
                        exists: true,
                        ..first.clone()
                    }
                }
                Deed::Delete => wanted.exists = false,
                Deed::Suspend(suspended) => wanted.suspended = suspended,
                Deed::Groups(groups) => wanted.groups = groups,
                Deed::Method(method) => wanted.method = method,
                _ => {}
            }
            deeds.push((tick, deed));
        }
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            deeds,
            rotates,
            first,
            wanted,
        }
    }
}

fn another(dice: &mut Dice, now: &Wanted) -> Deed {
    if !now.exists {
        return Deed::Create;
    }
    match dice.between(0, 17) {
        0 | 1 => Deed::Groups(dice.pick(&GROUPS)),
        2 => Deed::Method(dice.pick(&METHODS)),
        3 | 4 => Deed::Suspend(!now.suspended),
        5 => Deed::Renew,
        6 | 7 => Deed::Rotate,
        8 => Deed::DropCredentials,
        9 => Deed::DropToken,
        10 => Deed::EditCredentials,
        11 => Deed::EditToken,
        12 | 13 => Deed::Delete,
        14 => dice.pick(&[Deed::AdminDeactivates, Deed::AdminDeletes]),
        15 => Deed::AdminRenames,
        _ => Deed::AdminAddsSecret,
    }
}
