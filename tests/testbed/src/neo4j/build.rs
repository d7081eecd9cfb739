//! Builds tests/neo4j once, with Maven.
//!
//! It needs a JDK, Maven, and Maven Central for the first time. What is built is
//! kept below the target directory by the hash of the project's files, and found
//! there the next time. It refuses to write into the source tree.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::jdk::{self, Jdk};
use crate::error::{Error, tail};
use crate::go::lock;
use crate::progress::Progress;
use crate::{Child, target};

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../neo4j");
const JAR: &str = "neo4j-with-oidc-1.jar";

/// What runs the server.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) jdk: Jdk,
    pub(super) class_path: String,
}

pub(super) async fn built() -> Result<Built, Error> {
    let jdk = jdk::find().map_err(|missing| Error::malformed("Neo4j", missing.to_string()))?;
    let project = Path::new(PROJECT);
    let folder = target::directory()
        .join("neo4j")
        .join(&hash(project)?[..16]);
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let _lock = lock(&folder.join("lock"), "Neo4j").await?;
    if let Some(class_path) = class_path(&folder) {
        return Ok(Built { jdk, class_path });
    }
    build(&jdk, &folder).await?;
    let class_path = class_path(&folder)
        .ok_or_else(|| Error::malformed("tests/neo4j", "Maven left no class path"))?;
    Ok(Built { jdk, class_path })
}

/// The class path of a finished build, if Maven's repository still has it all.
fn class_path(folder: &Path) -> Option<String> {
    let jar = folder.join(JAR);
    let libraries = fs::read_to_string(folder.join("class-path")).ok()?;
    let libraries = libraries.trim();
    let whole = jar.is_file() && std::env::split_paths(libraries).all(|path| path.is_file());
    whole.then(|| format!("{}:{libraries}", jar.display()))
}

async fn build(jdk: &Jdk, folder: &Path) -> Result<(), Error> {
    let log = folder.join("maven.log");
    let pom = format!("{PROJECT}/pom.xml");
    let out = format!("-Dout={}", folder.display());
    let args = ["-B", "-q", "-f", &pom, &out, "package"];
    let env = [("JAVA_HOME", jdk.home.as_os_str())];
    let mut maven =
        Child::spawn(&jdk.maven, args, env, &log).map_err(Error::file(Path::new("/bin/sh")))?;
    let mut progress = Progress::new("building Neo4j once (about a minute)".to_owned());
    let exit = loop {
        if let Some(exit) = maven.try_wait() {
            break exit;
        }
        progress.tick().await;
    };
    progress.end();
    if exit.success() {
        return Ok(());
    }
    Err(Error::Maven { tail: tail(&log) })
}

/// Of every file of the project, so that a change is built anew.
fn hash(project: &Path) -> Result<String, Error> {
    let mut files = vec![project.join("pom.xml")];
    collect(&project.join("src"), &mut files)?;
    files.sort();
    let mut context = Context::new(&SHA256);
    for file in files {
        context.update(file.as_os_str().as_encoded_bytes());
        context.update(&fs::read(&file).map_err(Error::file(&file))?);
    }
    Ok(target::hex(context.finish().as_ref()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
