//! Running a program behind a terminal.

use super::{LiveError, NamespaceHandle};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};

/// Runs a program inside a terminal's namespace and waits for it. It keeps this process's working folder, environment,
/// standard streams and user; it sees the terminal as its only network, and the PoP as its resolver. SIGTERM, SIGHUP and the
/// like (and SIGINT that did not come from the keyboard, which reaches it anyhow) are passed on to it; if this process is
/// killed, so is the program.
///
/// Returns its exit status, or 128 plus the number of the signal that ended it, as a shell does.
pub fn enter(namespace: &NamespaceHandle, command: &[OsString]) -> Result<u8, LiveError> {
    let (program, arguments) = command.split_first().ok_or_else(|| LiveError::Program {
        program: String::new(),
        source: io::ErrorKind::InvalidInput.into(),
    })?;
    let fail = |source| LiveError::Program {
        program: program.to_string_lossy().into_owned(),
        source,
    };
    let namespace = namespace
        .try_clone()
        .map_err(LiveError::system("copy a descriptor"))?;
    let resolver = resolver_mount(&namespace.facts.resolv_conf);
    let mut command = Command::new(program);
    command.args(arguments);
    // SAFETY: system calls only, with data prepared here; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            namespace.enter()?;
            if let Some((ours, theirs)) = &resolver {
                // As `ip netns exec` does. Where it is not possible names do not resolve, and addresses still work.
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                let _ = unshare_unsafe(UnshareFlags::NEWNS)
                    .and_then(|()| mount_change(c"/", private))
                    .and_then(|()| mount_bind(ours.as_c_str(), theirs.as_c_str()));
            }
            // Last, since entering a user namespace undoes it.
            let kill = Some(rustix::process::Signal::KILL);
            rustix::process::set_parent_process_death_signal(kill).map_err(io::Error::from)
        });
    }
    let forwarding = Forwarding::begin();
    let mut child = command.spawn().map_err(fail)?;
    forwarding.to(child.id());
    let status = child.wait().map_err(fail)?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code & 0xff).unwrap_or(u8::MAX))
}

/// The file to mount, and where: the end of the chain if /etc/resolv.conf is a symbolic link.
fn resolver_mount(ours: &Path) -> Option<(CString, CString)> {
    let theirs = Path::new("/etc/resolv.conf").canonicalize().ok()?;
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
    Some((text(ours)?, text(&theirs)?))
}

/// Signals that are passed on.
const SIGNALS: [libc::c_int; 6] = [
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// To whom; 0 before the program runs.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// A signal that came before the program ran.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// While it lives, signals to this process are passed on to the program; then they mean again what they did before.
struct Forwarding([libc::sigaction; SIGNALS.len()]);

impl Forwarding {
    fn begin() -> Self {
        CHILD.store(0, Ordering::SeqCst);
        EARLY.store(0, Ordering::SeqCst);
        // SAFETY: `sigaction` is plain data, for which zeros are valid; the handler only uses atomics and kill(2).
        Self(SIGNALS.map(|signal| unsafe {
            let mut ours: libc::sigaction = std::mem::zeroed();
            let mut before: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = pass_on as *const () as libc::sighandler_t;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const ours, &raw mut before);
            before
        }))
    }

    fn to(&self, child: u32) {
        CHILD.store(child.cast_signed(), Ordering::SeqCst);
        let early = EARLY.swap(0, Ordering::SeqCst);
        if early != 0 {
            // SAFETY: the child has not been waited for, so its number is its own.
            unsafe { libc::kill(child.cast_signed(), early) };
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        CHILD.store(0, Ordering::SeqCst);
        for (signal, before) in SIGNALS.iter().zip(&self.0) {
            // SAFETY: puts back what the kernel gave.
            unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
        }
    }
}

extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid pointer to a handler with SA_SIGINFO.
    let from_keyboard = unsafe { (*info).si_code } == libc::SI_KERNEL;
    if from_keyboard && matches!(signal, libc::SIGINT | libc::SIGQUIT) {
        // The terminal sends these to the whole process group, the program included.
        return;
    }
    match CHILD.load(Ordering::SeqCst) {
        0 => EARLY.store(signal, Ordering::SeqCst),
        // SAFETY: kill(2) may be called in a handler.
        child => unsafe {
            libc::kill(child, signal);
        },
    }
}
