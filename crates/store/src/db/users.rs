//! People, devices and tools that may connect, with what they may do.

use super::{Database, DatabaseReader, DbError};
use rusqlite::{OptionalExtension, Row, params};
use std::fmt;

/// Who a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserKind {
    /// Somebody with a password of their own choice.
    Person,
    /// A device, with a generated secret.
    Device,
    /// A program, with a generated secret.
    Tool,
}

/// How a user's secret is checked; never the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A PHC string, as argon2 writes it: for what people choose.
    Phc(String),
    /// BLAKE2s of a generated secret of 128 random bits, which needs no slow hash.
    Blake2s([u8; 32]),
}

/// Hashes do not belong into logs.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Phc(_) => "Phc(..)",
            Self::Blake2s(_) => "Blake2s(..)",
        })
    }
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to log in with; unique.
    pub name: String,
    /// Who it is.
    pub kind: UserKind,
    /// How the secret is checked.
    pub credential: Credential,
    /// What the user may do, as text that the dispatcher reads.
    pub grants: String,
}

const COLUMNS: &str = "SELECT name, kind, phc, blake2s, grants FROM users";

impl DatabaseReader {
    /// All users, by name, and the rows that are damaged: one of them keeps nobody else out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn users(&self) -> Result<(Vec<User>, Vec<DbError>), DbError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{COLUMNS} ORDER BY name"))?;
        let mut rows = statement.query([])?;
        let (mut users, mut damaged) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            match user(row) {
                Ok(user) => users.push(user),
                Err(DbError::Sqlite(error)) => damaged.push(DbError::Damaged {
                    what: format!("a user's: {error}"),
                }),
                Err(error) => damaged.push(error),
            }
        }
        Ok((users, damaged))
    }

    /// The user of this name.
    ///
    /// # Errors
    /// What SQLite says, or a damaged row.
    pub fn user(&self, name: &str) -> Result<Option<User>, DbError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{COLUMNS} WHERE name = ?1"))?;
        statement
            .query_row([name], |row| Ok(user(row)))
            .optional()?
            .transpose()
    }
}

impl Database {
    /// Adds a user, or changes the one of the same name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_user(&mut self, user: &User) -> Result<(), DbError> {
        let (phc, blake2s) = match &user.credential {
            Credential::Phc(phc) => (Some(phc), None),
            Credential::Blake2s(hash) => (None, Some(hash)),
        };
        let kind = match user.kind {
            UserKind::Person => 0,
            UserKind::Device => 1,
            UserKind::Tool => 2,
        };
        self.connection().execute(
            "INSERT OR REPLACE INTO users (name, kind, phc, blake2s, grants)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![user.name, kind, phc, blake2s, user.grants],
        )?;
        self.checkpoint()
    }

    /// Removes a user; says whether there was one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn remove_user(&mut self, name: &str) -> Result<bool, DbError> {
        let removed = self
            .connection()
            .execute("DELETE FROM users WHERE name = ?1", [name])?;
        self.checkpoint()?;
        Ok(removed > 0)
    }
}

fn user(row: &Row<'_>) -> Result<User, DbError> {
    let name: String = row.get(0)?;
    let kind = match row.get(1)? {
        0 => UserKind::Person,
        1 => UserKind::Device,
        2 => UserKind::Tool,
        kind => {
            let what = format!("user '{name}' is of kind {kind}");
            return Err(DbError::Damaged { what });
        }
    };
    let credential = match (row.get(2)?, row.get(3)?) {
        (Some(phc), None) => Credential::Phc(phc),
        (None, Some(hash)) => Credential::Blake2s(hash),
        _ => {
            let what = format!("user '{name}' has no single hash");
            return Err(DbError::Damaged { what });
        }
    };
    let grants = row.get(4)?;
    Ok(User {
        name,
        kind,
        credential,
        grants,
    })
}
