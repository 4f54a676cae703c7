//! Keeps a lease: listens, sends heartbeats, and begins anew where the channel is silent.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::pin,
    sync::{Mutex, PoisonError, Weak},
    time::Duration,
};

use counterfoil::Timer;
use futures_util::future::{Either, select};

use crate::{CacheEvent, Channel, ChannelError, Listener, Signal, moment::Moment, store::Cache};

/// The pause after a failure: from a tenth of the bound, twice as long each time, up to the bound itself.
const FIRST_PAUSE: u32 = 10;

/// Runs for as long as the cache is there.
pub(crate) async fn keep<C: Channel, T: Timer>(
    cache: Weak<Cache>,
    channel: C,
    timer: T,
    on_event: impl Fn(&CacheEvent) + Send + Sync + 'static,
) {
    let Some((bound, now)) = cache.upgrade().map(|cache| (cache.settings.bound, cache.now())) else { return };
    let keeper = Keeper { cache, channel, timer, bound, teller: Teller::new(on_event, now) };
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

struct Keeper<C, T, E> {
    cache: Weak<Cache>,
    channel: C,
    timer: T,
    bound: Duration,
    teller: Teller<E>,
}

impl<C: Channel, T: Timer, E: Fn(&CacheEvent) + Sync> Keeper<C, T, E> {
    async fn listen(&self) -> Result<C::Listener, ChannelError> {
        let listener = self.in_time(self.channel.listen()).await?;
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
        let error = match select(hearing, beating).await {
            Either::Left((error, _)) | Either::Right((error, _)) => error,
        };
        (beats.has_returned(), error)
    }

    async fn hear(&self, mut listener: C::Listener, beats: &Beats) -> ChannelError {
        loop {
            let signal = match listener.hear().await {
                Ok(signal) => signal,
                Err(error) => return error,
            };
            let Some(cache) = self.cache.upgrade() else { return Trouble::Gone.into() };
            match signal {
                Signal::Changed(id) => cache.changes.changed(id),
                Signal::AllChanged => cache.changes.all_changed(),
                Signal::Beat(number) => {
                    if let (Some(sent), Some(lease)) = (beats.returned(number), cache.lease()) {
                        lease.renew(sent);
                        self.teller.serve(cache.now());
                    }
                }
            }
        }
    }

    async fn beat(&self, beats: &Beats) -> ChannelError {
        for number in 1.. {
            let Some(cache) = self.cache.upgrade() else { return Trouble::Gone.into() };
            let now = cache.now();
            drop(cache);
            if beats.oldest().is_some_and(|sent| sent.age(now) >= self.bound) {
                return Trouble::NoReturn { bound: self.bound }.into();
            }
            beats.send(number, now);
            // One that cannot be sent does not come back, which is what counts.
            let error = self.in_time(self.channel.beat(number)).await.err();
            if let Some(error) = error {
                return error;
            }
            self.timer.sleep(self.bound / 4).await;
        }
        Trouble::Gone.into()
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

/// Tells of changes from serving to standing aside and back, each once.
struct Teller<E> {
    on_event: E,
    aside: Mutex<Option<Aside>>,
}

struct Aside {
    since: Moment,
    is_told: bool,
}

impl<E: Fn(&CacheEvent)> Teller<E> {
    fn new(on_event: E, since: Moment) -> Self {
        Self { on_event, aside: Mutex::new(Some(Aside { since, is_told: false })) }
    }

    fn stand_aside(&self, now: Moment, error: ChannelError) {
        let is_told = {
            let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
            let aside = aside.get_or_insert(Aside { since: now, is_told: false });
            std::mem::replace(&mut aside.is_told, true)
        };
        if !is_told {
            (self.on_event)(&CacheEvent::StoodAside { error });
        }
    }

    fn serve(&self, now: Moment) {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(aside) = aside {
            (self.on_event)(&CacheEvent::Serves { after: aside.since.age(now) });
        }
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

impl std::error::Error for Trouble {}

impl From<Trouble> for ChannelError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble)
    }
}
