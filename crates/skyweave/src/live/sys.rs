//! The few system calls that need care: forking without exec, and passing file descriptors between processes.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The most file descriptors in one message.
pub(crate) const MAX_FDS: usize = 8;

/// Sends bytes with file descriptors attached. Allocates nothing: it is called after [`fork`].
pub(crate) fn send_fds(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let sent = rustix::net::sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(rustix::io::Errno::MSGSIZE)
    }
}

/// Receives bytes and the file descriptors attached to them; no bytes mean that the other end is closed.
pub(crate) fn recv_fds(
    socket: impl AsFd,
    bytes: &mut [u8],
) -> rustix::io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let iov = &mut [IoSliceMut::new(bytes)];
        match rustix::net::recvmsg(socket.as_fd(), iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}

/// A forked child that has not been waited for; dropping waits.
#[derive(Debug)]
pub(crate) struct Forked(Option<Pid>);

impl Forked {
    pub(crate) fn pid(&self) -> u32 {
        self.0
            .map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        let Some(pid) = self.0.take() else { return };
        while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
    }
}

/// Runs `child` in a forked copy of this process, which ends when `child` returns.
///
/// Namespaces can only be made and entered by a thread that is alone in its process, and this process has several threads.
///
/// # Safety
/// Only the calling thread exists in the child, and whatever locks other threads held stay locked there for good: `child`
/// may make system calls and compute, but not allocate, lock or print.
pub(crate) unsafe fn fork(child: impl FnOnce()) -> io::Result<Forked> {
    /// Leaves the child also if `child` unwinds: its stack belongs to functions that must not return twice.
    struct Exit;
    impl Drop for Exit {
        fn drop(&mut self) {
            // SAFETY: ends the process at once; no destructor or exit handler of the parent runs in the child.
            unsafe { libc::_exit(0) }
        }
    }
    // SAFETY: the caller promises that `child` does what is allowed after a fork of a process with threads.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let _exit = Exit;
            child();
            drop(_exit);
            unreachable!("the process has ended")
        }
        pid => Ok(Forked(Pid::from_raw(pid))),
    }
}

/// Asks for real-time priority for this thread and keeps it on one core, where its caches stay warm. Whether it was granted.
pub(crate) fn make_this_thread_realtime() -> bool {
    // In the middle of the range: above all usual threads, below the kernel's own.
    let parameters = libc::sched_param { sched_priority: 10 };
    // SAFETY: reads one `sched_param`; pid 0 is this thread.
    if unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    } != 0
    {
        return false;
    }
    if let Ok(allowed) = rustix::thread::sched_getaffinity(None)
        && let Some(last) = (0..rustix::thread::CpuSet::MAX_CPU)
            .rev()
            .find(|&cpu| allowed.is_set(cpu))
    {
        let mut one = rustix::thread::CpuSet::new();
        one.set(last);
        let _ = rustix::thread::sched_setaffinity(None, &one);
    }
    true
}

/// Asks the kernel to keep idle processors awake enough to answer at once, for as long as the file is open
/// (Documentation/power/pm_qos_interface.rst). A halted virtual processor takes about 100 µs to come back. `None` where that is
/// not permitted or not known.
pub(crate) fn forbid_deep_idle() -> Option<std::fs::File> {
    let mut request = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/cpu_dma_latency")
        .ok()?;
    std::io::Write::write_all(&mut request, &0_i32.to_ne_bytes()).ok()?;
    Some(request)
}

/// Lets the kernel note when a packet arrives at a socket, to be read by [`recv_with_stamp`].
pub(crate) fn stamp_arrivals(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is one int, which outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Receives a datagram and when it arrived, in nanoseconds of the wall clock. Does not wait.
pub(crate) fn recv_with_stamp(
    socket: &OwnedFd,
    bytes: &mut [u8],
) -> io::Result<(usize, Option<i64>)> {
    let mut iov = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // Aligned as control messages must be, and with room for one stamp.
    let mut control = [0_u64; 8];
    // SAFETY: `msghdr` is plain data, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message points to `bytes` and `control`, with their lengths, and both outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    let mut stamp = None;
    // SAFETY: the kernel filled in `control` and its length; the macros stay inside, and the data of a message of this type
    // is one `timespec`, read without assuming that it is aligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(found) = header.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let time = libc::CMSG_DATA(header)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                stamp = Some(time.tv_sec * 1_000_000_000 + time.tv_nsec);
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((length, stamp))
}

/// Where a connection wanted to go before the packet filter redirected it here (netfilter's SO_ORIGINAL_DST, which is 80
/// for both protocols).
pub(crate) fn original_destination(connection: &OwnedFd) -> io::Result<SocketAddr> {
    const SO_ORIGINAL_DST: libc::c_int = 80;
    let local: SocketAddr = rustix::net::getsockname(connection)?.try_into()?;
    // A socket for both protocols shows IPv4 addresses as IPv6 ones; connections are tracked by what they are.
    let is_v4 = local.ip().to_canonical().is_ipv4();
    // SAFETY: socket addresses are plain data, for which zeros are valid. The kernel writes at most the length given.
    unsafe {
        if is_v4 {
            let mut found: libc::sockaddr_in = std::mem::zeroed();
            get_option(connection, libc::SOL_IP, SO_ORIGINAL_DST, &mut found)?;
            let ip = Ipv4Addr::from_bits(u32::from_be(found.sin_addr.s_addr));
            Ok(SocketAddr::from((ip, u16::from_be(found.sin_port))))
        } else {
            let mut found: libc::sockaddr_in6 = std::mem::zeroed();
            get_option(connection, libc::SOL_IPV6, SO_ORIGINAL_DST, &mut found)?;
            Ok(SocketAddr::from((
                Ipv6Addr::from(found.sin6_addr.s6_addr),
                u16::from_be(found.sin6_port),
            )))
        }
    }
}

/// # Safety
/// `T` is what the option's value is, and valid whatever its bytes are.
unsafe fn get_option<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &mut T,
) -> io::Result<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let to = std::ptr::from_mut(value).cast();
    // SAFETY: `to` points to `length` bytes that outlive the call.
    let done = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, to, &raw mut length) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets closing a connection reset it.
pub(crate) fn reset_on_close(connection: impl AsFd) -> rustix::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(connection, Some(std::time::Duration::ZERO))
}
