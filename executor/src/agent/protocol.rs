//! The messages between a client and an SSH agent, as far as it takes to tell them apart.
//!
//! A message is its length, as four bytes with the highest first, and so many bytes, of which the first is its kind.
//! Source: `draft-ietf-sshm-ssh-agent`, "SSH Agent Protocol".

use std::io::{self, Read, Write};

/// The longest message that OpenSSH's agent takes, in bytes (`AGENT_MAX_LEN`).
const LONGEST: usize = 256 << 10;

/// `SSH_AGENTC_REQUEST_IDENTITIES`: which keys are there?
const LIST: u8 = 11;

/// `SSH_AGENTC_SIGN_REQUEST`: sign this with that key.
const SIGN: u8 = 13;

/// `SSH_AGENT_FAILURE`.
const FAILURE: [u8; 1] = [5];

/// Passes a client's questions on to an agent, and the answers back, until one of them has enough.
///
/// Only what a login needs is passed on: to list keys and to sign. A command may not add keys, remove them, or lock the
/// agent, and it may not use extensions, of which nobody knows what they do. BuildKit draws the same line.
///
/// # Errors
/// If either side breaks off.
pub(super) fn serve(client: &mut (impl Read + Write), agent: &mut (impl Read + Write)) -> io::Result<()> {
    while let Some(question) = receive(client)? {
        if matches!(question.first(), Some(&LIST | &SIGN)) {
            send(agent, &question)?;
            let Some(answer) = receive(agent)? else { return Ok(()) };
            send(client, &answer)?;
        } else {
            send(client, &FAILURE)?;
        }
    }
    Ok(())
}

/// A message without its length; `None` at the end.
fn receive(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    to.write_all(&[&length.to_be_bytes(), message].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::io::Cursor;

    use super::*;

    /// One side: what it says, and what it was told.
    struct Side {
        says: Cursor<Vec<u8>>,
        told: Vec<u8>,
    }

    impl Side {
        fn new(messages: &[&[u8]]) -> Self {
            let mut says = Vec::new();
            messages.iter().for_each(|message| send(&mut says, message).unwrap());
            Self { says: Cursor::new(says), told: Vec::new() }
        }

        fn told(&self) -> Vec<Vec<u8>> {
            let mut told = Cursor::new(&self.told);
            std::iter::from_fn(|| receive(&mut told).unwrap()).collect()
        }
    }

    impl Read for Side {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Side {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.told.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_lists_and_signatures_reach_the_agent() {
        // Every kind that the draft has, and some that it does not have.
        let questions: Vec<[u8; 2]> = (0..=255).map(|kind| [kind, 7]).collect();
        let questions: Vec<&[u8]> = questions.iter().map(<[u8; 2]>::as_slice).collect();
        let (mut client, mut agent) = (Side::new(&questions), Side::new(&[&[12, 1], &[14, 2]]));
        serve(&mut client, &mut agent).unwrap();
        assert_eq!(agent.told(), [[LIST, 7], [SIGN, 7]]);
        let answers = client.told();
        assert_eq!((answers.len(), &answers[11], &answers[13]), (256, &vec![12, 1], &vec![14, 2]));
        assert_eq!(answers.iter().filter(|answer| **answer == FAILURE).count(), 254);
    }

    #[test]
    fn an_empty_question_is_refused_and_a_long_one_ends_it() {
        let (mut client, mut agent) = (Side::new(&[&[]]), Side::new(&[]));
        serve(&mut client, &mut agent).unwrap();
        assert_eq!(client.told(), [FAILURE]);
        let mut client = Side { says: Cursor::new(vec![0xff; 8]), told: Vec::new() };
        assert_eq!(serve(&mut client, &mut agent).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(agent.told.is_empty());
    }
}
