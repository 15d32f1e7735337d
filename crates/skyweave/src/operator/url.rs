//! Where a database is.

use super::StoreError;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::path::{Path, PathBuf};

/// How long a connection may take, and how long the other side may be silent, before the database counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database: a file (SQLite), or a URL `postgres://...` (PostgreSQL). Shown without its password.
#[derive(Clone, Debug)]
pub struct StoreUrl(pub(super) Place);

#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Postgres(Box<tokio_postgres::Config>),
}

impl StoreUrl {
    /// The file of an SQLite database.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = |why: String| StoreError::BadUrl {
            url: without_password(text),
            why,
        };
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let mut config: tokio_postgres::Config = text
                .parse()
                .map_err(|e: tokio_postgres::Error| bad(causes(&e)))?;
            if config.get_connect_timeout().is_none() {
                config.connect_timeout(PATIENCE);
            }
            if config.get_tcp_user_timeout().is_none() {
                config.tcp_user_timeout(PATIENCE);
            }
            config.keepalives_idle(PATIENCE);
            if config.get_application_name().is_none() {
                config.application_name("skyweave");
            }
            return Ok(Self(Place::Postgres(Box::new(config))));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        if path.contains("://") {
            return Err(bad("no such kind of database".into()));
        }
        if path.is_empty() {
            return Err(bad("the name of the file is empty".into()));
        }
        Ok(Self(Place::File(PathBuf::from(path))))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(path) => write!(f, "database {}", path.display()),
            Place::Postgres(config) => {
                let host = config.get_hosts().first().map(|host| match host {
                    tokio_postgres::config::Host::Tcp(name) => name.clone(),
                    tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
                });
                write!(
                    f,
                    "PostgreSQL database {} at {}",
                    config
                        .get_dbname()
                        .or(config.get_user())
                        .unwrap_or("of this user"),
                    host.as_deref().unwrap_or("its host")
                )
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&StoreUrl(self.clone()), f)
    }
}

/// An error with all its causes in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A URL with `...` in place of its password, also where it stands as a parameter.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, ""), |(rest, _)| (rest, "?..."));
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:...@{host}{query}")
        }
        None => format!("{scheme}://{rest}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: StoreUrl = "postgres://me:s3cret@db.example:5433/sky".parse().unwrap();
        for text in [url.to_string(), format!("{url:?}")] {
            assert!(!text.contains("s3cret"), "{text}");
            assert!(text.contains("sky at db.example"), "{text}");
        }
        for bad in [
            "postgres://me:s3cret@db.example:port/sky",
            "postgres://db/sky?password=s3cret&nonsense=1",
            "mysql://me:s3cret@db/sky",
        ] {
            let text = bad.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn what_names_no_database_is_refused() {
        for bad in [
            "",
            "sqlite:",
            "http://example.org/x",
            "postgres://h/x?sslmode=perhaps",
        ] {
            assert!(
                matches!(bad.parse::<StoreUrl>(), Err(StoreError::BadUrl { .. })),
                "{bad}"
            );
        }
        assert_eq!(
            "service.sqlite".parse::<StoreUrl>().unwrap().to_string(),
            "database service.sqlite"
        );
    }
}
