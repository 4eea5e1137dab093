//! The answering side of the control socket: a task for each connection, on the dispatcher's thread.
//! What takes long (disk, password hashes) is awaited, never done here.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::spawn_local,
    time::timeout,
};

use zeroize::Zeroize;

use super::{REQUEST_BYTES_MAX, Response};
use crate::run::{
    desk::{Answer, Desk},
    stream::Lines,
};

/// A reader of the stream that takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Pause after a failed accept: most often there are too many open files, and that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A folder for the moment in which the socket is made; with its name the path is shorter than the socket's own.
const PRIVATE: &str = ".s";

/// The socket; its file goes when this is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`, for the owner of the folder only. The caller holds the folder's lock, so
    /// a socket that is left there belongs to nobody.
    ///
    /// # Errors
    /// The path is too long for a socket, or the folder can't be written.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        // Until its rights are set nobody else must reach it: it is made in a folder that only we may enter.
        let private = path.with_file_name(PRIVATE);
        let made = private.join("s");
        for left in [fs::remove_file(&made), fs::remove_dir(&private)] {
            match left {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::DirBuilder::new().mode(0o700).create(&private)?;
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        fs::remove_dir(&private)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, desk: Rc<Desk>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let desk = Rc::clone(&desk);
                    spawn_local(async move {
                        if let Err(error) = converse(stream, desk).await {
                            tracing::debug!(%error, "a control connection broke");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket can't accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nothing is lost if it stays: the next start removes it.
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, desk: Rc<Desk>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(mut line) = next_line(&mut read).await? {
        let request = serde_json::from_str(&line);
        // It may have held a secret.
        line.zeroize();
        let answer = match request {
            Ok(request) => desk.answer(request).await,
            Err(error) => Err(format!(
                "that is no request this version understands: {error}"
            )),
        };
        match answer {
            Ok(Answer::Once(value)) => say(&mut write, &Response::Ok(value)).await?,
            Ok(Answer::Stream { begin, lines }) => {
                say(&mut write, &Response::Ok(begin)).await?;
                return stream_lines(&mut read, &mut write, lines).await;
            }
            Err(why) => say(&mut write, &Response::Error(why)).await?,
        }
    }
    Ok(())
}

async fn next_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let bytes = (&mut *read)
        .take(REQUEST_BYTES_MAX)
        .read_line(&mut line)
        .await?;
    if bytes as u64 == REQUEST_BYTES_MAX && !line.ends_with('\n') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a request line is too long",
        ));
    }
    Ok((bytes > 0).then_some(line))
}

async fn say(write: &mut OwnedWriteHalf, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Ends when the reader hangs up, also while nothing happens.
async fn stream_lines(
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
    mut lines: Lines,
) -> io::Result<()> {
    let mut unread = [0_u8; 1];
    loop {
        tokio::select! {
            line = lines.next() => {
                let Some(line) = line else { return Ok(()) };
                let line = format!("{line}\n");
                timeout(WRITE_PATIENCE, write.write_all(line.as_bytes())).await??;
            }
            _ = read.read(&mut unread) => return Ok(()),
        }
    }
}
