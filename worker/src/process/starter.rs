//! The thread that starts every child.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    libc,
    sys::{prctl, signal::Signal},
    unistd::{Pid, getppid, pipe2},
};
use tokio::sync::{oneshot, watch};

use super::{
    program::{MARK_VARIABLE, Program, StartProblem},
    running::{self, Control, Running, Shared},
    tree::Leaders,
};

/// Who cares for processes whose parent, a child of ours, has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// This process: it becomes their parent and buries them. Only for a program that starts no children by other ways.
    Adopt,
    /// The system's init.
    LeaveToInit,
}

/// Starts children. Clones share one thread; when the last clone is gone the thread ends, and every child with it.
#[derive(Debug, Clone)]
pub struct Starter {
    orders: mpsc::Sender<Order>,
}

struct Order {
    program: Program,
    answer: oneshot::Sender<Result<Running, StartProblem>>,
}

impl Starter {
    /// Starts the thread.
    pub fn new(orphans: Orphans) -> io::Result<Self> {
        if orphans == Orphans::Adopt {
            prctl::set_child_subreaper(true)?;
        }
        let (orders, taken) = mpsc::channel::<Order>();
        let leaders = Arc::new(Leaders::default());
        thread::Builder::new().name("starter".to_owned()).spawn(move || {
            for Order { program, answer } in taken {
                let started = start(program, &leaders, orphans == Orphans::Adopt);
                // Whoever asked has gone away meanwhile: nobody else would ever stop this child.
                if let Err(Ok(running)) = answer.send(started) {
                    running.control.kill();
                }
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a program in a group of its own.
    pub async fn start(&self, program: Program) -> Result<Running, StartProblem> {
        let (answer, started) = oneshot::channel();
        self.orders.send(Order { program, answer }).map_err(|_| StartProblem::Leaving)?;
        started.await.unwrap_or(Err(StartProblem::Leaving))
    }
}

fn start(program: Program, leaders: &Arc<Leaders>, adopt: bool) -> Result<Running, StartProblem> {
    let file = program.file.clone();
    spawn(program, leaders, adopt).map_err(|cause| StartProblem::of(file, cause))
}

fn spawn(program: Program, leaders: &Arc<Leaders>, adopt: bool) -> io::Result<Running> {
    let (stdin_read, stdin_write) = pipe2(OFlag::O_CLOEXEC)?;
    let (stdout_read, stdout_write) = pipe2(OFlag::O_CLOEXEC)?;
    let (stderr_read, stderr_write) = pipe2(OFlag::O_CLOEXEC)?;
    // Typing a `q` must not wait for a program that does not read.
    fcntl(stdin_write.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;

    let mut command = Command::new(&program.file);
    command
        .args(&program.args)
        .current_dir(&program.dir)
        .env_clear()
        .envs(program.environment)
        .env(MARK_VARIABLE, program.mark.as_str())
        .stdin(Stdio::from(stdin_read))
        .stdout(Stdio::from(stdout_write))
        .stderr(Stdio::from(stderr_write))
        .process_group(0);
    in_the_child(&mut command, program.inherited.as_ref().map(AsRawFd::as_raw_fd));

    let mut leaders_now: MutexGuard<'_, HashSet<Pid>> = leaders.lock();
    let child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    leaders_now.insert(pid);
    drop(leaders_now);

    let (told, ended) = watch::channel(None);
    let shared = Arc::new(Shared {
        pid,
        mark: program.mark,
        stdin: Mutex::new(File::from(stdin_write)),
        reaped: Mutex::new(false),
    });
    let control = Control { shared: Arc::clone(&shared), ended };
    let leaders = Arc::clone(leaders);
    let reaper = thread::Builder::new()
        .name(format!("reaper {pid}"))
        .spawn(move || running::reap(&shared, &leaders, adopt, &told));
    if let Err(error) = reaper {
        // Without a reaper nobody would learn of its end.
        control.kill();
        return Err(error);
    }
    Ok(Running { control, stdout: stdout_read, stderr: stderr_read })
}

/// Arranges what has to happen between fork and exec: the child dies with the worker, and one descriptor stays open.
fn in_the_child(command: &mut Command, inherited: Option<RawFd>) {
    let parent = Pid::this();
    let prepare = move || -> io::Result<()> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // A parent that died before the line above sends no signal any more.
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        close_at_exec();
        if let Some(fd) = inherited {
            keep_open(fd)?;
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "PR_SET_PDEATHSIG can only be set by the child itself, between fork and exec")]
    // SAFETY: the closure makes plain system calls, all of them async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Marks everything but the three standard descriptors to be closed: what the worker itself was started with, such as a
/// supervisor's sockets, is none of the child's business.
fn close_at_exec() {
    #[expect(unsafe_code, reason = "no library offers close_range(2) for use between fork and exec")]
    // SAFETY: it takes three numbers and touches no memory. Where the kernel does not know it (before 5.11) nothing happens,
    // and what we open ourselves is closed by its own flag.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

/// Takes the close-on-exec flag away, in the child alone.
fn keep_open(fd: RawFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the number of an open descriptor is all that crosses the fork")]
    // SAFETY: the caller keeps the descriptor open until the child was started; the child has its own copy of it.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// A pipe for a child to write into: the end that stays here, and the end for [`Program::inherited`] whose number the
/// child will know.
pub fn extra_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}
