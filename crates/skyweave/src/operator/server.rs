//! A connection to a PostgreSQL server that waits for no answer without end: a server that is stopped, swapped out or behind a
//! network that swallows packets is given up. The kernel's time-outs see none of these as long as the connection stands.

use super::url::causes;
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::time::Duration;
use futures_util::TryStreamExt as _;
use std::collections::HashMap;
use tokio::runtime::Runtime;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, Row, Socket, Statement};

/// How long a server may be silent before it is given up; more than the locks that it waits for (`lock_timeout`).
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// The same for a question that costs it nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// A connection.
pub(super) struct Server {
    /// Runs only while it is asked something.
    runtime: Runtime,
    client: Client,
    statements: HashMap<&'static str, Statement>,
    wait: Wait,
}

/// How long is waited.
struct Wait {
    at_most: Duration,
    /// It was given up: what it says now answers an older question.
    given_up: bool,
}

/// Why the server did not do what was asked.
pub(super) enum ServerError {
    /// It says so.
    Told(Error),
    /// It says nothing.
    Silent(Duration),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(error) => f.write_str(&causes(error)),
            Self::Silent(wait) => write!(f, "the server has not answered for {} s", wait.as_secs()),
        }
    }
}

impl From<Error> for ServerError {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Server {
    pub(super) fn connect<T>(config: &Config, tls: T) -> Result<Self, ServerError>
    where
        T: MakeTlsConnect<Socket, TlsConnect: Send, Stream: Send + 'static>,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a process can watch one socket more");
        // The library counts the socket alone; a server that is stopped takes the socket and says nothing.
        let each = config.get_connect_timeout().copied().unwrap_or(ANSWER);
        let at_most = each * config.get_hosts().len().max(1) as u32;
        let mut wait = Wait {
            at_most,
            given_up: false,
        };
        let client = wait.within(&runtime, at_most, async {
            let (client, connection) = config.connect(tls).await?;
            // Its end is seen by whoever asks next.
            tokio::spawn(async { drop(connection.await) });
            Ok(client)
        })?;
        wait.at_most = ANSWER;
        Ok(Self {
            runtime,
            client,
            statements: HashMap::new(),
            wait,
        })
    }

    /// How long an answer may take from now on.
    pub(super) fn set_patience(&mut self, at_most: Duration) {
        self.wait.at_most = at_most;
    }

    /// Whether it is there.
    pub(super) fn check_alive(&mut self) -> Result<(), ServerError> {
        let asked = self.client.simple_query("");
        self.wait
            .within(&self.runtime, SIGN_OF_LIFE, asked)
            .map(drop)
    }

    /// Runs statements without parameters and answers.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), ServerError> {
        let at_most = self.wait.at_most;
        let asked = self.client.batch_execute(sql);
        self.wait.within(&self.runtime, at_most, asked)
    }

    /// Runs one statement; returns how many rows it concerned.
    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, ServerError> {
        let statement = self.prepared(sql)?;
        let at_most = self.wait.at_most;
        let asked = self.client.execute(&statement, values);
        self.wait.within(&self.runtime, at_most, asked)
    }

    /// Gives each row of an answer until `each` refuses one: then that is the answer.
    pub(super) fn rows<E>(
        &mut self,
        sql: &'static str,
        values: Vec<&(dyn ToSql + Sync)>,
        each: &mut dyn FnMut(&Row) -> Result<(), E>,
    ) -> Result<Result<(), E>, ServerError> {
        let statement = self.prepared(sql)?;
        let at_most = self.wait.at_most;
        let asked = self.client.query_raw(&statement, values);
        let mut rows = pin!(self.wait.within(&self.runtime, at_most, asked)?);
        while let Some(row) = self
            .wait
            .within(&self.runtime, at_most, rows.as_mut().try_next())?
        {
            if let Err(refused) = each(&row) {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement, ServerError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let at_most = self.wait.at_most;
        let asked = self.client.prepare(sql);
        let statement = self.wait.within(&self.runtime, at_most, asked)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Wait {
    fn within<T>(
        &mut self,
        runtime: &Runtime,
        at_most: Duration,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ServerError> {
        if self.given_up {
            return Err(ServerError::Silent(at_most));
        }
        let answered = runtime.block_on(async { tokio::time::timeout(at_most, asked).await });
        match answered {
            Ok(answer) => answer.map_err(Into::into),
            Err(_) => {
                self.given_up = true;
                Err(ServerError::Silent(at_most))
            }
        }
    }
}
