//! What this machine and this user can do.

use super::LiveError;
use super::namespace::{self, Owner, Role};
use std::fmt;

/// What is possible here, as this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether packets can flow, and as whom.
    pub packets: Result<Privilege, Vec<Missing>>,
    /// Whether they can leave for the host's network.
    pub uplink: Result<(), Vec<Missing>>,
}

/// With whose rights namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Root, or the capabilities of root that matter.
    Root,
    /// An ordinary user, inside a user namespace.
    User,
}

/// Something that is missing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What and why.
    pub what: String,
    /// What would help.
    pub remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.remedy)
    }
}

impl Privilege {
    /// What this process has.
    pub(crate) fn of_this_process() -> Self {
        use rustix::thread::CapabilitySet;
        let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
        match rustix::thread::capabilities(None) {
            Ok(sets) if sets.effective.contains(needed) => Self::Root,
            _ => Self::User,
        }
    }
}

/// Tries what a network needs, and leaves nothing behind.
pub fn probe() -> Capabilities {
    let privilege = Privilege::of_this_process();
    let packets = match namespace::make(Owner::first(privilege), &[Role::Terminal]) {
        Ok(_) => Ok(privilege),
        Err(error) => Err(vec![explain(&error)]),
    };
    let pasta = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|dir| dir.join("pasta"))
            .find(|p| p.is_file())
    };
    let uplink = match (privilege, pasta()) {
        (Privilege::User, None) => Err(vec![Missing {
            what: "an ordinary user's packets leave for the host's network through pasta, which is not there".to_owned(),
            remedy: "install the package `passt`, or run as root".to_owned(),
        }]),
        _ => Ok(()),
    };
    Capabilities { packets, uplink }
}

/// What a namespace could not be made for, in the user's terms.
pub(crate) fn explain(error: &LiveError) -> Missing {
    let remedy = match error {
        LiveError::System { doing, source } => match (*doing, source.raw_os_error()) {
            (namespace::OPENING_TUN, Some(libc::ENOENT)) => {
                "load the kernel module with `modprobe tun`, or give the container the device: `--device /dev/net/tun`"
            }
            (namespace::OPENING_TUN, Some(libc::EACCES | libc::EPERM)) => {
                "only root may open it here: `chmod 666 /dev/net/tun`, as most distributions have it, or run as root"
            }
            (_, Some(libc::EPERM | libc::EACCES)) if apparmor_restricts() => {
                "AppArmor keeps ordinary users from it: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
            }
            (_, Some(libc::EPERM | libc::EACCES)) => {
                "ordinary users may not make user namespaces here: `sysctl kernel.unprivileged_userns_clone=1`, or run as root (in a container: `--privileged`)"
            }
            (_, Some(libc::ENOSPC)) => {
                "the limit of namespaces is reached: raise user.max_user_namespaces and user.max_net_namespaces"
            }
            (_, Some(libc::EINVAL | libc::ENOSYS)) => {
                "the kernel is built without namespaces or TUN devices"
            }
            _ => "see what the kernel says",
        },
        _ => "this is not expected to happen",
    };
    Missing {
        what: error.to_string(),
        remedy: remedy.to_owned(),
    }
}

fn apparmor_restricts() -> bool {
    let path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    std::fs::read_to_string(path).is_ok_and(|value| value.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_remedy() {
        let refused = |doing, code| LiveError::System {
            doing,
            source: std::io::Error::from_raw_os_error(code),
        };
        let tun = explain(&refused(namespace::OPENING_TUN, libc::EACCES));
        assert!(
            tun.to_string().contains("/dev/net/tun") && tun.remedy.contains("chmod 666"),
            "{tun}"
        );
        let absent = explain(&refused(namespace::OPENING_TUN, libc::ENOENT));
        assert!(absent.remedy.contains("modprobe"), "{absent}");
        let full = explain(&refused("make a network namespace", libc::ENOSPC));
        assert!(full.remedy.contains("max_net_namespaces"), "{full}");
    }
}
