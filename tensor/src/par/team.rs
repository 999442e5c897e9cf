//! Threads that wait awake for the next piece of work.
//!
//! A token of a small model is some 200 short pieces of parallel work. Waking a thread that sleeps
//! takes as long as such a piece, so that the team's threads look out for the next one a little
//! while before they sleep. Where more threads are asked for than there are cores, they sleep at
//! once: one that waits awake would keep another from working.
//!
//! Whoever calls works too. Each thread has a share of the pieces, one after the other, so that it
//! reads on where it has read; who is through with its own helps with another's. Shares are taken
//! piece by piece: a thread that the system keeps from running costs at most the piece it has
//! taken.

use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::{hint, thread};

/// Looks at the board before a thread sleeps, or lets other programs run: some 50 to 100 µs.
const LOOKS: usize = 2_000;

type Work<'a> = dyn Fn(usize) + Sync + 'a;

type Panic = Box<dyn std::any::Any + Send>;

/// What is worked on, and who does.
struct Board {
    /// Odd while there is work; each piece of work has a number of its own.
    epoch: AtomicU64,
    /// The work and how many pieces it has; written while `epoch` is even and nobody is inside.
    work: UnsafeCell<Option<(*const Work<'static>, usize)>>,
    /// The next piece of each thread's share.
    next: Box<[Counter]>,
    /// Threads of the team that may be reading `work`.
    inside: AtomicUsize,
    /// What a thread of the team panicked with.
    panic: Mutex<Option<Panic>>,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
    looks: usize,
}

/// A counter in cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicUsize);

// SAFETY: `work` is written by the one thread that holds the team's lock, while `epoch` is even and
// `inside` is 0, and read by threads that are counted in `inside` and saw an odd `epoch` after that.
unsafe impl Sync for Board {}

/// The board, and the lock of the one who may write on it.
struct Team {
    board: &'static Board,
    lock: Mutex<()>,
}

thread_local! {
    /// Whether this thread works on a piece just now: work inside of it is not shared out again.
    static IS_WORKING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work(piece)` for each piece of `0..pieces`, on this thread and the team's; `false` where
/// the team serves another thread just now and nothing was done.
pub(super) fn run(pieces: usize, work: &Work<'_>) -> bool {
    if pieces < 2 || IS_WORKING.get() {
        (0..pieces).for_each(work);
        return true;
    }
    let team = team();
    let lock = match team.lock.try_lock() {
        Ok(lock) => lock,
        Err(TryLockError::Poisoned(lock)) => lock.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    team.board.panic().take();
    // SAFETY: only the lifetime changes, and `Close` waits for all that read it.
    let work: &Work<'static> = unsafe { std::mem::transmute(work) };
    team.board.open(work, pieces);
    let close = Close(team.board);
    team.board.take_pieces(0, work, pieces);
    drop(close);
    let panic = team.board.panic().take();
    drop(lock);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    true
}

fn team() -> &'static Team {
    static TEAM: OnceLock<Team> = OnceLock::new();
    TEAM.get_or_init(|| {
        let threads = rayon::current_num_threads();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let board: &'static Board = Box::leak(Box::new(Board {
            epoch: AtomicU64::new(0),
            work: UnsafeCell::new(None),
            next: (0..threads.max(1)).map(|_| Counter::default()).collect(),
            inside: AtomicUsize::new(0),
            panic: Mutex::new(None),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            alarm: Condvar::new(),
            looks: if threads <= cores { LOOKS } else { 0 },
        }));
        for thread in 1..threads {
            // Without a thread more the others do its pieces.
            let _ = thread::Builder::new().name("team".into()).spawn(move || board.serve(thread));
        }
        Team { board, lock: Mutex::new(()) }
    })
}

/// Takes the work off the board, and waits for those who are still at it, also while unwinding.
struct Close(&'static Board);

impl Drop for Close {
    fn drop(&mut self) {
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0;
        while self.0.inside.load(Ordering::SeqCst) != 0 {
            looks += 1;
            if looks < LOOKS { hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Board {
    fn panic(&self) -> MutexGuard<'_, Option<Panic>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, work: &Work<'static>, pieces: usize) {
        // SAFETY: the caller holds the team's lock, `epoch` is even, and `Close` waited until nobody
        // was inside; who enters from now on sees the even `epoch` and does not look.
        unsafe { *self.work.get() = Some((work, pieces)) };
        for (share, next) in self.next.iter().enumerate() {
            next.0.store(self.share(share, pieces).start, Ordering::SeqCst);
        }
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.bed.lock());
            self.alarm.notify_all();
        }
    }

    /// The pieces that a thread does first.
    fn share(&self, thread: usize, pieces: usize) -> Range<usize> {
        let threads = self.next.len();
        thread * pieces / threads..(thread + 1) * pieces / threads
    }

    fn take_pieces(&self, thread: usize, work: &Work<'_>, pieces: usize) {
        struct Working;
        impl Drop for Working {
            fn drop(&mut self) {
                IS_WORKING.set(false);
            }
        }
        IS_WORKING.set(true);
        let _working = Working;
        let threads = self.next.len();
        for share in (thread..threads).chain(0..thread) {
            let end = self.share(share, pieces).end;
            loop {
                let piece = self.next[share].0.fetch_add(1, Ordering::Relaxed);
                if piece >= end {
                    break;
                }
                work(piece);
            }
        }
    }

    /// The life of a thread of the team.
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            seen = self.wait_for_work(seen);
            self.inside.fetch_add(1, Ordering::SeqCst);
            if self.epoch.load(Ordering::SeqCst) == seen {
                // SAFETY: the work is on the board, and whoever put it there waits until this
                // thread is no longer counted in `inside`.
                let (work, pieces) = unsafe {
                    let (work, pieces) = (*self.work.get()).expect("the epoch is odd");
                    (&*work, pieces)
                };
                let result =
                    catch_unwind(AssertUnwindSafe(|| self.take_pieces(thread, work, pieces)));
                if let Err(panic) = result {
                    *self.panic() = Some(panic);
                }
            }
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The number of work that is on the board and is not `seen`.
    fn wait_for_work(&self, seen: u64) -> u64 {
        let found = || Some(self.epoch.load(Ordering::SeqCst)).filter(|e| e % 2 == 1 && *e != seen);
        for _ in 0..self.looks {
            if let Some(epoch) = found() {
                return epoch;
            }
            hint::spin_loop();
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let epoch = loop {
            if let Some(epoch) = found() {
                break epoch;
            }
            bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs until the team is free, for other tests use it too.
    fn run_when_free(pieces: usize, work: &Work<'_>) {
        while !run(pieces, work) {
            thread::yield_now();
        }
    }

    #[test]
    fn each_piece_is_done_once_again_and_again() {
        for round in 0..3_000 {
            let pieces = round % 17;
            let done: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
            run_when_free(pieces, &|piece| {
                done[piece].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1));
            if round % 500 == 0 {
                thread::sleep(std::time::Duration::from_millis(2)); // the others fall asleep
            }
        }
    }

    #[test]
    fn work_inside_of_work_is_done_where_it_is() {
        let count = AtomicUsize::new(0);
        run_when_free(5, &|_| {
            let here = thread::current().id();
            let inner = |_| {
                assert_eq!(thread::current().id(), here);
                count.fetch_add(1, Ordering::Relaxed);
            };
            assert!(run(3, &inner));
        });
        assert_eq!(count.into_inner(), 15);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        for _ in 0..20 {
            let failing = || run_when_free(8, &|piece| assert!(piece < 3, "piece {piece}"));
            let panic = catch_unwind(AssertUnwindSafe(failing)).unwrap_err();
            assert!(panic.downcast_ref::<String>().unwrap().starts_with("piece "));
        }
        let count = AtomicUsize::new(0);
        run_when_free(8, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 8);
    }
}
