//! The certificates of a fleet that encrypts, all in one folder of it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ffleet_servers::Authority;

/// Makes them: an authority, one for HAProxy, which is called by its address, and one for the coordinators, which are called
/// by name as well.
pub(crate) fn make(dir: &Path) {
    let (authority, folder) = (Authority::new("the fleet's own"), dir.join("tls"));
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("ca.pem", &authority.pem());
    let front = authority.server(&["127.0.0.1"]);
    write("front.pem", &(front.certificate + &front.key));
    let coordinator = authority.server(&["localhost", "127.0.0.1"]);
    write("coordinator.pem", &coordinator.certificate);
    write("coordinator.key", &coordinator.key);
}

/// The certificate of the fleet's authority, if it has one.
pub(crate) fn authority(dir: &Path) -> Option<PathBuf> {
    Some(dir.join("tls/ca.pem")).filter(|file| file.exists())
}

/// The coordinators' section.
pub(crate) fn section(dir: &Path) -> String {
    let file = |name: &str| dir.join("tls").join(name);
    format!("[tls]\ncertificate = {:?}\nkey = {:?}\n", file("coordinator.pem"), file("coordinator.key"))
}

/// The line that clients and workers have.
pub(crate) fn ca_file(file: Option<&Path>) -> String {
    file.map_or_else(String::new, |file| format!("ca_file = {file:?}\n"))
}
