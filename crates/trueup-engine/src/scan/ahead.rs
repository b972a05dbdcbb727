//! Reads sides ahead, each on a thread of its own.

use super::held::{Held, Hold};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use trueup_core::diff::Stream;
use trueup_core::keyed::Keyed;
use trueup_core::{Error, Result};

/// One side, to be read by [`read_ahead`].
pub(crate) type Side<'s> = Box<dyn Stream + Send + 's>;

/// Passes streams to `merge`, each read at most `ahead` batches ahead on a thread of its own; with 0, read where and
/// when `merge` asks. The threads end with `merge`, however it ends.
pub(crate) fn read_ahead<const N: usize, T>(
    ahead: usize,
    mut sides: [Side<'_>; N],
    merge: impl FnOnce([&mut dyn Stream; N]) -> Result<T>,
) -> Result<T> {
    if ahead == 0 {
        return merge(
            sides
                .each_mut()
                .map(|side| -> &mut dyn Stream { side.as_mut() }),
        );
    }
    std::thread::scope(|scope| {
        // Dropped at the end of this block: the threads must not wait for room for ever.
        let mut fed = sides.map(|mut side| {
            let (sender, inbox) = sync_channel(ahead);
            scope.spawn(move || pump(side.as_mut(), &sender));
            Fed {
                inbox,
                held: None,
                done: false,
            }
        });
        merge(fed.each_mut().map(|fed| -> &mut dyn Stream { fed }))
    })
}

/// Sends all batches of `stream` and how it ended; stops when nobody is left to read them.
fn pump(stream: &mut dyn Stream, sender: &SyncSender<Message>) {
    let mut wanted = true;
    let held = Arc::new(Held::default());
    let result = stream.each(&mut |keyed| {
        let hold = held.hold(keyed.bytes());
        wanted = sender.send(Message::Piece(keyed, hold)).is_ok();
        held.wait_for_room();
        wanted
    });
    let end = match result {
        Ok(()) => Message::End,
        Err(error) => Message::Failed(error),
    };
    if wanted {
        // Nobody waits for it any more where this fails.
        drop(sender.send(end));
    }
}

/// What a reading thread sends. The end is said, never guessed: a thread that died must not look like a short
/// collection.
enum Message {
    Piece(Keyed, Hold),
    End,
    Failed(Error),
}

/// The receiving half. Dropping it tells the sending thread, which then stops instead of waiting for room.
struct Fed {
    inbox: Receiver<Message>,
    /// That of the piece which was taken last: whoever asks for the next one has done with it.
    held: Option<Hold>,
    done: bool,
}

impl Stream for Fed {
    fn next(&mut self) -> Result<Option<Keyed>> {
        if self.done {
            return Ok(None);
        }
        self.held = None;
        match self.inbox.recv() {
            Ok(Message::Piece(keyed, hold)) => {
                self.held = Some(hold);
                Ok(Some(keyed))
            }
            Ok(Message::End) => {
                self.done = true;
                Ok(None)
            }
            Ok(Message::Failed(error)) => Err(error),
            Err(_) => Err(Error::bug("a reading thread ended without saying so")),
        }
    }
}
