//! Keeps a lease: listens, sends heartbeats, and begins anew where the channel is silent.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use counterfoil::{Timer, store::StoreError};
use futures_util::future::{Either, select};

use crate::{CacheEvent, Channel, ChannelError, Listener, Signal, intake::Intake, moment::Moment, store::Cache};

/// The pause after a failure: from a tenth of the bound, twice as long each time, up to the bound itself.
const FIRST_PAUSE: u32 = 10;

/// Runs for as long as the cache is there.
pub(crate) async fn keep<C: Channel, T: Timer, F: Future<Output = Result<(), StoreError>> + Send>(
    cache: Weak<Cache>,
    channel: C,
    check: impl Fn() -> F + Send + Sync,
    timer: T,
    on_event: impl Fn(&CacheEvent) + Send + Sync + 'static,
) {
    let Some((bound, now)) = cache.upgrade().map(|cache| (cache.settings.bound, cache.now())) else { return };
    let (last_beat, teller) = (AtomicU64::new(0), Teller::new(on_event, now));
    let keeper = Keeper { cache, channel, check, timer, bound, last_beat, teller };
    let mut pause = bound / FIRST_PAUSE;
    loop {
        let (held, error) = match keeper.listen().await {
            Ok(listener) => keeper.session(listener).await,
            Err(error) => (false, error),
        };
        let Some(cache) = keeper.cache.upgrade() else { return };
        if let Some(lease) = cache.lease() {
            lease.lapse();
        }
        keeper.teller.stand_aside(cache.now(), error);
        drop(cache);
        pause = if held { bound / FIRST_PAUSE } else { (pause * 2).min(bound) };
        keeper.timer.sleep(pause).await;
    }
}

struct Keeper<C, H, T, E> {
    cache: Weak<Cache>,
    channel: C,
    /// Checks the store behind the cache.
    check: H,
    timer: T,
    bound: Duration,
    /// Counted through all sessions: a late heartbeat of an earlier one must not be taken for one of this one's.
    last_beat: AtomicU64,
    teller: Teller<E>,
}

impl<C, H, F, T, E> Keeper<C, H, T, E>
where
    C: Channel,
    H: Fn() -> F + Sync,
    F: Future<Output = Result<(), StoreError>> + Send,
    T: Timer,
    E: Fn(&CacheEvent) + Sync,
{
    async fn listen(&self) -> Result<C::Listener, ChannelError> {
        let listener = self.in_time(self.channel.listen()).await?;
        self.check_store().await?;
        // What was committed while nobody listened was not heard.
        if let Some(cache) = self.cache.upgrade() {
            cache.changes.all_changed();
        }
        Ok(listener)
    }

    /// Ends with an error, or, when the cache is gone, with any; and says whether there was a lease.
    async fn session(&self, listener: C::Listener) -> (bool, ChannelError) {
        let beats = Beats::default();
        let hearing = pin!(self.hear(listener, &beats));
        let beating = pin!(self.beat(&beats));
        let checking = pin!(self.keep_checking());
        let error = match select(select(hearing, beating), checking).await {
            Either::Left((Either::Left((error, _)) | Either::Right((error, _)), _)) | Either::Right((error, _)) => {
                error
            }
        };
        (beats.has_returned(), error)
    }

    /// Ends with the reason why the store is not the right one.
    async fn keep_checking(&self) -> ChannelError {
        loop {
            self.timer.sleep(self.bound).await;
            if let Err(error) = self.check_store().await {
                return error;
            }
        }
    }

    /// An answer that is late, or a failure that may pass, is no reason to stand aside: a pool that is used up must not
    /// send all reads to the store on top.
    async fn check_store(&self) -> Result<(), ChannelError> {
        match select(pin!((self.check)()), self.timer.sleep(self.bound)).await {
            Either::Left((Err(error), _)) if !error.is_transient() => Err(ChannelError::new(error)),
            Either::Left(_) | Either::Right(_) => Ok(()),
        }
    }

    async fn hear(&self, mut listener: C::Listener, beats: &Beats) -> ChannelError {
        let mut intake = Intake::default();
        loop {
            let signal = match listener.hear().await {
                Ok(signal) => signal,
                Err(error) => return error,
            };
            let Some(cache) = self.cache.upgrade() else { return Trouble::Gone.into() };
            match signal {
                Signal::Changed(id) => intake.changed(&cache.changes, id),
                Signal::AllChanged => intake.all_changed(&cache.changes),
                Signal::Beat(number) => {
                    if let (Some(sent), Some(lease)) = (beats.returned(number), cache.lease()) {
                        intake.beat(&cache.changes);
                        lease.renew(sent);
                        let now = cache.now();
                        if lease.holds(now, self.bound) {
                            self.teller.serve(now);
                        }
                    }
                }
            }
        }
    }

    async fn beat(&self, beats: &Beats) -> ChannelError {
        let mut failed = None;
        loop {
            let Some(cache) = self.cache.upgrade() else { return Trouble::Gone.into() };
            let now = cache.now();
            drop(cache);
            if beats.oldest().is_some_and(|sent| sent.age(now) >= self.bound) {
                return failed.unwrap_or_else(|| Trouble::NoReturn { bound: self.bound }.into());
            }
            let number = self.last_beat.fetch_add(1, Ordering::Relaxed) + 1;
            beats.send(number, now);
            // One that cannot be sent does not come back, which is what counts.
            failed = self.in_time(self.channel.beat(number)).await.err();
            self.timer.sleep(self.bound / 4).await;
        }
    }

    async fn in_time<O>(&self, done: impl Future<Output = Result<O, ChannelError>> + Send) -> Result<O, ChannelError> {
        match select(pin!(done), self.timer.sleep(self.bound)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(Trouble::Late { bound: self.bound }.into()),
        }
    }
}

/// The heartbeats that have not come back yet, in the order of their sending.
#[derive(Debug, Default)]
struct Beats(Mutex<(VecDeque<(u64, Moment)>, bool)>);

impl Beats {
    fn with<O>(&self, act: impl FnOnce(&mut VecDeque<(u64, Moment)>, &mut bool) -> O) -> O {
        let (beats, returned) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(beats, returned)
    }

    fn send(&self, number: u64, now: Moment) {
        self.with(|beats, _| beats.push_back((number, now)));
    }

    /// When this one was sent, if it was, and in this session; those before it do not count any more.
    fn returned(&self, number: u64) -> Option<Moment> {
        self.with(|beats, returned| {
            let at = beats.iter().position(|(sent, _)| *sent == number)?;
            *returned = true;
            beats.drain(..=at).next_back().map(|(_, sent)| sent)
        })
    }

    fn oldest(&self) -> Option<Moment> {
        self.with(|beats, _| beats.front().map(|(_, sent)| *sent))
    }

    fn has_returned(&self) -> bool {
        self.with(|_, returned| *returned)
    }
}

/// Tells of changes from serving to standing aside and back, each once, and of another reason to stand aside.
struct Teller<E> {
    on_event: E,
    aside: Mutex<Option<Aside>>,
}

struct Aside {
    since: Moment,
    /// As it was told.
    reason: Option<String>,
}

impl<E: Fn(&CacheEvent)> Teller<E> {
    fn new(on_event: E, since: Moment) -> Self {
        Self { on_event, aside: Mutex::new(Some(Aside { since, reason: None })) }
    }

    fn stand_aside(&self, now: Moment, error: ChannelError) {
        let reason = error.source().map(ToString::to_string);
        let told = {
            let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
            let aside = aside.get_or_insert(Aside { since: now, reason: None });
            std::mem::replace(&mut aside.reason, reason.clone())
        };
        if told != reason {
            self.tell(&CacheEvent::StoodAside { error });
        }
    }

    fn serve(&self, now: Moment) {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(aside) = aside {
            self.tell(&CacheEvent::Serves { after: aside.since.age(now) });
        }
    }

    /// A host's panic must not end the listening.
    fn tell(&self, event: &CacheEvent) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_event)(event)));
    }
}

/// Why a session ends without the channel's saying so.
#[derive(Debug)]
enum Trouble {
    Late { bound: Duration },
    NoReturn { bound: Duration },
    Gone,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { bound } => write!(f, "no answer within {bound:?}"),
            Self::NoReturn { bound } => write!(f, "no heartbeat came back within {bound:?}"),
            Self::Gone => f.write_str("the cache is gone"),
        }
    }
}

impl Error for Trouble {}

impl From<Trouble> for ChannelError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble)
    }
}
