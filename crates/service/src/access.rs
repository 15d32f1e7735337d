//! Who may do what with the service: roles and their permissions, users, passwords, tokens and sign-ins.
//!
//! The table of permissions and roles is [`PERMISSIONS`]. A user acts under a [`Mandate`], which says its role and, of a
//! customer or a terminal, whose things it may see. Secrets are here only as hashes that somebody else has made; the audit
//! log gets none of them (see [`crate::Action`]). Whether a secret is right is asked here; what it is is never known.

use crate::ids::{AccountId, UtId};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skyweave_base::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The longest name of a user or a token, characters.
const LONGEST_NAME: usize = 64;
/// Sessions of one user at most: the next one closes the oldest.
const MOST_SIGN_INS: usize = 20;
/// Tokens of one user at most.
const MOST_TOKENS: usize = 100;

/// What somebody is to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the operator: everything, users and settings included.
    Owner,
    /// Runs the service from day to day.
    Operator,
    /// Plans the network: its epochs, faults and areas; no persons.
    Planner,
    /// Helps customers.
    Support,
    /// Reads what was done.
    Auditor,
    /// Holds an account: sees that account and its terminals.
    Customer,
    /// A terminal: sees itself.
    Terminal,
}

/// Something that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PERMISSIONS says what each is")]
pub enum Permission {
    ReadTerminals,
    ReadLocations,
    AddTerminals,
    ChangeTerminals,
    PauseTerminals,
    BlockTerminals,
    ReadAreas,
    ChangeAreas,
    ReadPlans,
    ChangePlans,
    ReadAccounts,
    ChangeAccounts,
    ReadLists,
    ChangeLists,
    RequestListing,
    DecideListing,
    ReadDenied,
    ChangeDenied,
    ReadUsage,
    ReadIncidents,
    DecideIncidents,
    AppealIncidents,
    ReadAudit,
    ReadUsers,
    ChangeUsers,
    ReadSettings,
    ChangeSettings,
    ReadNetwork,
    ChangeFaults,
}

use Role::{Auditor, Customer, Operator, Owner, Planner, Support, Terminal};

/// The table: each permission, who has it, and what it allows. A customer has it for its own account's things only, a
/// terminal for itself only.
pub const PERMISSIONS: [(Permission, &[Role], &str); 29] = [
    (
        Permission::ReadTerminals,
        &[
            Owner, Operator, Planner, Support, Auditor, Customer, Terminal,
        ],
        "see terminals, their state and why they have or have not service; places as cells",
    ),
    (
        Permission::ReadLocations,
        &[Owner, Operator, Support, Customer],
        "read the precise place of a terminal; each reading is an entry of the audit log",
    ),
    (
        Permission::AddTerminals,
        &[Owner, Operator],
        "add terminals, one or a file of them",
    ),
    (
        Permission::ChangeTerminals,
        &[Owner, Operator, Support],
        "sell, register, activate, deactivate and release terminals",
    ),
    (
        Permission::PauseTerminals,
        &[Owner, Operator, Support, Customer],
        "suspend terminals and let them go on",
    ),
    (
        Permission::BlockTerminals,
        &[Owner, Operator],
        "block terminals, restore and retire them",
    ),
    (
        Permission::ReadAreas,
        &[Owner, Operator, Planner, Support, Auditor],
        "see service areas",
    ),
    (
        Permission::ChangeAreas,
        &[Owner, Operator],
        "add, change, remove service areas and switch them on and off",
    ),
    (
        Permission::ReadPlans,
        &[Owner, Operator, Planner, Support, Auditor, Customer],
        "see the plans that are sold",
    ),
    (
        Permission::ChangePlans,
        &[Owner, Operator],
        "add and change plans",
    ),
    (
        Permission::ReadAccounts,
        &[Owner, Operator, Support, Auditor, Customer],
        "see accounts and organisations",
    ),
    (
        Permission::ChangeAccounts,
        &[Owner, Operator, Support],
        "add and change accounts and organisations",
    ),
    (
        Permission::ReadLists,
        &[Owner, Operator, Support, Auditor, Customer],
        "see allow lists, their entries and requests",
    ),
    (
        Permission::ChangeLists,
        &[Owner, Operator],
        "add allow lists and change their limits",
    ),
    (
        Permission::RequestListing,
        &[Owner, Operator, Support, Customer],
        "ask for a terminal to be put on an allow list",
    ),
    (
        Permission::DecideListing,
        &[Owner, Operator],
        "approve and reject requests, take terminals off lists",
    ),
    (
        Permission::ReadDenied,
        &[Owner, Operator, Support, Auditor],
        "see the deny list",
    ),
    (
        Permission::ChangeDenied,
        &[Owner, Operator],
        "put on the deny list and take off",
    ),
    (
        Permission::ReadUsage,
        &[
            Owner, Operator, Planner, Support, Auditor, Customer, Terminal,
        ],
        "see traffic by terminal and period",
    ),
    (
        Permission::ReadIncidents,
        &[Owner, Operator, Support, Auditor, Customer],
        "see incidents; a customer without their evidence",
    ),
    (
        Permission::DecideIncidents,
        &[Owner, Operator],
        "cut off, dismiss and restore",
    ),
    (
        Permission::AppealIncidents,
        &[Owner, Operator, Support, Customer],
        "object to a decision",
    ),
    (
        Permission::ReadAudit,
        &[Owner, Auditor],
        "read the audit log and verify it",
    ),
    (
        Permission::ReadUsers,
        &[Owner, Operator, Auditor],
        "see users and their tokens, never secrets",
    ),
    (
        Permission::ChangeUsers,
        &[Owner],
        "add, change and revoke users, and revoke tokens of others",
    ),
    (
        Permission::ReadSettings,
        &[Owner, Operator, Planner, Auditor],
        "see what holds for the whole network",
    ),
    (Permission::ChangeSettings, &[Owner], "change it"),
    (
        Permission::ReadNetwork,
        &[Owner, Operator, Planner, Support, Auditor],
        "see epochs, live terminals and events",
    ),
    (
        Permission::ChangeFaults,
        &[Owner, Operator, Planner],
        "set faults that the next plan takes",
    ),
];

impl Permission {
    /// All of them, in the order of [`PERMISSIONS`].
    pub fn all() -> impl Iterator<Item = Self> {
        PERMISSIONS.iter().map(|(permission, ..)| *permission)
    }

    /// The roles that have it.
    pub fn roles(self) -> &'static [Role] {
        // The table is in the order of the variants: a test holds it to that.
        PERMISSIONS[self as usize].1
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Owner, Operator, Planner, Support, Auditor, Customer, Terminal,
    ];

    /// Whether this role has a permission.
    pub fn may(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }
}

macro_rules! named_as_in_json {
    ($($name:ident: $what:literal),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Serialize::serialize(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NoSuchName;

            fn from_str(text: &str) -> Result<Self, NoSuchName> {
                let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
                Self::deserialize(name).map_err(|_| NoSuchName {
                    what: $what,
                    name: text.chars().take(LONGEST_NAME).collect(),
                })
            }
        }
    )+};
}
named_as_in_json!(Role: "role", Permission: "permission");

/// A name of a role or a permission that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{name}`")]
pub struct NoSuchName {
    what: &'static str,
    name: String,
}

/// What a user acts as, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as Role's")]
pub enum Mandate {
    Owner,
    Operator,
    Planner,
    Support,
    Auditor,
    /// For this account.
    Customer(AccountId),
    /// For itself.
    Terminal(UtId),
}

impl Mandate {
    /// The role.
    pub const fn role(self) -> Role {
        match self {
            Self::Owner => Role::Owner,
            Self::Operator => Role::Operator,
            Self::Planner => Role::Planner,
            Self::Support => Role::Support,
            Self::Auditor => Role::Auditor,
            Self::Customer(_) => Role::Customer,
            Self::Terminal(_) => Role::Terminal,
        }
    }
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
number!(
    /// A user.
    UserId,
    /// A token.
    TokenId,
    /// One signing-in, until it ends.
    SignInId
);

/// The hash of a random secret of 256 bits; nobody finds a secret of that size by trying, so the hash may be a fast one.
#[derive(Clone, Copy)]
pub struct SecretHash(pub [u8; 32]);

impl PartialEq for SecretHash {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let hash = blake3::Hash::from_hex(String::deserialize(d)?);
        let hash = hash.map_err(serde::de::Error::custom)?;
        Ok(Self(*hash.as_bytes()))
    }
}

/// Somebody who may use the service's interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Which user.
    pub id: UserId,
    /// The name to sign in with: no two users have the same.
    pub name: String,
    /// What the user acts as.
    pub mandate: Mandate,
    /// Who this is at the organisation's own identity provider.
    pub identity: Option<Identity>,
    /// Whether the user may do anything.
    pub standing: UserStanding,
}

/// Whether a user may do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStanding {
    /// As far as its role may.
    Active,
    /// Nothing any more. The name stays taken: the audit log names it.
    Revoked,
}

/// Who somebody is elsewhere: the issuer and the subject of an identity token (OpenID Connect Core 1.0, section 2). The
/// two together never mean another person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The identity provider.
    pub issuer: String,
    /// Its name of the person.
    pub subject: String,
}

/// A password as its hash, in the PHC string format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// The hash.
    pub hash: String,
    /// What it is good for.
    pub kind: PasswordKind,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Password({:?})", self.kind)
    }
}

/// What a password is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordKind {
    /// The user's own choice.
    Own,
    /// A secret from somebody else, for choosing a password of one's own and for nothing else.
    Once,
}

/// A token for programs. It allows what is named here as far as its user's role still does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Which token.
    pub id: TokenId,
    /// Who acts by it.
    pub user: UserId,
    /// What it is for, in words.
    pub name: String,
    /// Of its secret.
    pub hash: SecretHash,
    /// What it allows.
    pub permissions: BTreeSet<Permission>,
    /// When it was made.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
}

/// Somebody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Which signing-in.
    pub id: SignInId,
    /// Who.
    pub user: UserId,
    /// Of its secret.
    pub hash: SecretHash,
    /// Since when.
    pub opened: Time,
    /// Until when.
    pub expires: Time,
}

/// Why a change of users, tokens or sign-ins was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AccessRefused {
    #[error("there is already a user `{0}`")]
    NameTaken(String),
    #[error("a name has 1 to {LONGEST_NAME} characters, none of them a control character")]
    BadName,
    #[error("user {0} is already who that is")]
    IdentityTaken(UserId),
    #[error("user {0} is the last owner: make another one first")]
    LastOwner(UserId),
    #[error("user {0} was revoked, for ever: make a new one")]
    Revoked(UserId),
    #[error("the role {role} does not have the permission {permission}")]
    NotOfRole { role: Role, permission: Permission },
    #[error("it would end before it begins")]
    Expired,
    #[error("user {0} has {MOST_TOKENS} tokens: revoke some first")]
    TooManyTokens(UserId),
}

/// All users, their passwords, tokens and sign-ins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory {
    users: BTreeMap<UserId, User>,
    passwords: BTreeMap<UserId, Password>,
    tokens: BTreeMap<TokenId, Token>,
    sign_ins: BTreeMap<SignInId, SignIn>,
    /// By name: follows from the users.
    names: BTreeMap<String, UserId>,
}

impl Directory {
    pub(crate) fn load(
        users: Vec<User>,
        passwords: Vec<(UserId, Password)>,
        tokens: Vec<Token>,
        sign_ins: Vec<SignIn>,
    ) -> Self {
        Self {
            names: users.iter().map(|u| (u.name.clone(), u.id)).collect(),
            users: users.into_iter().map(|u| (u.id, u)).collect(),
            passwords: passwords.into_iter().collect(),
            tokens: tokens.into_iter().map(|t| (t.id, t)).collect(),
            sign_ins: sign_ins.into_iter().map(|s| (s.id, s)).collect(),
        }
    }

    /// Users by id, those revoked too.
    pub fn users(&self) -> &BTreeMap<UserId, User> {
        &self.users
    }

    /// Passwords by user.
    pub fn passwords(&self) -> &BTreeMap<UserId, Password> {
        &self.passwords
    }

    /// Tokens by id, those that have ended too.
    pub fn tokens(&self) -> &BTreeMap<TokenId, Token> {
        &self.tokens
    }

    /// Sessions by id.
    pub fn sign_ins(&self) -> &BTreeMap<SignInId, SignIn> {
        &self.sign_ins
    }

    /// The user of a name.
    pub fn user_named(&self, name: &str) -> Option<&User> {
        self.users.get(self.names.get(name)?)
    }

    /// The user who is this elsewhere.
    pub fn user_identified(&self, identity: &Identity) -> Option<&User> {
        let is = |u: &&User| u.identity.as_ref() == Some(identity);
        self.users.values().find(is)
    }

    /// Who acts by a token with this secret at `t`.
    pub fn by_token(&self, id: TokenId, secret: SecretHash, t: Time) -> Option<(&User, &Token)> {
        let token = self.tokens.get(&id)?;
        let good = token.hash == secret && token.created <= t && t < token.expires;
        Some((self.active(token.user)?, token)).filter(|_| good)
    }

    /// Who is signed in with this secret at `t`.
    pub fn by_sign_in(
        &self,
        id: SignInId,
        secret: SecretHash,
        t: Time,
    ) -> Option<(&User, &SignIn)> {
        let sign_in = self.sign_ins.get(&id)?;
        let good = sign_in.hash == secret && sign_in.opened <= t && t < sign_in.expires;
        Some((self.active(sign_in.user)?, sign_in)).filter(|_| good)
    }

    fn active(&self, user: UserId) -> Option<&User> {
        let user = self.users.get(&user)?;
        (user.standing == UserStanding::Active).then_some(user)
    }

    /// Adds a user or changes one.
    pub(crate) fn put_user(&mut self, user: &User) -> Result<(), AccessRefused> {
        check_name(&user.name)?;
        if self.names.get(&user.name).is_some_and(|id| *id != user.id) {
            return Err(AccessRefused::NameTaken(user.name.clone()));
        }
        let same = user.identity.as_ref().and_then(|i| self.user_identified(i));
        if let Some(other) = same.filter(|u| u.id != user.id) {
            return Err(AccessRefused::IdentityTaken(other.id));
        }
        let before = self.users.get(&user.id);
        if before.is_some_and(|u| u.standing == UserStanding::Revoked) {
            return Err(AccessRefused::Revoked(user.id));
        }
        let owns = |u: &User| u.mandate == Mandate::Owner && u.standing == UserStanding::Active;
        let others = self.users.values().filter(|u| u.id != user.id);
        if before.is_some_and(owns) && !owns(user) && !others.into_iter().any(owns) {
            return Err(AccessRefused::LastOwner(user.id));
        }
        if let Some(before) = self.users.insert(user.id, user.clone()) {
            self.names.remove(&before.name);
        }
        self.names.insert(user.name.clone(), user.id);
        Ok(())
    }

    /// Ends a user: its password, tokens and sign-ins go. Returns the tokens and sign-ins.
    pub(crate) fn revoke_user(
        &mut self,
        id: UserId,
    ) -> Result<(Vec<TokenId>, Vec<SignInId>), AccessRefused> {
        if let Some(user) = self.users.get(&id) {
            self.put_user(&User {
                standing: UserStanding::Revoked,
                ..user.clone()
            })?;
        }
        self.passwords.remove(&id);
        let of = |t: &Token| t.user == id;
        let tokens: Vec<_> = self
            .tokens
            .values()
            .filter(|t| of(t))
            .map(|t| t.id)
            .collect();
        self.tokens.retain(|_, t| !of(t));
        Ok((tokens, self.sign_out_all(|s| s.user == id)))
    }

    /// Sets a password; whoever is signed in as this user is no longer. Returns those sign-ins.
    pub(crate) fn set_password(
        &mut self,
        id: UserId,
        password: &Password,
    ) -> Result<Vec<SignInId>, AccessRefused> {
        if self.active(id).is_none() {
            return Err(AccessRefused::Revoked(id));
        }
        self.passwords.insert(id, password.clone());
        Ok(self.sign_out_all(|s| s.user == id))
    }

    pub(crate) fn add_token(&mut self, token: &Token) -> Result<(), AccessRefused> {
        check_name(&token.name)?;
        let user = self
            .active(token.user)
            .ok_or(AccessRefused::Revoked(token.user))?;
        let role = user.mandate.role();
        if let Some(&permission) = token.permissions.iter().find(|p| !role.may(**p)) {
            return Err(AccessRefused::NotOfRole { role, permission });
        }
        if token.expires <= token.created {
            return Err(AccessRefused::Expired);
        }
        let of = |t: &&Token| t.user == token.user;
        if self.tokens.values().filter(of).count() >= MOST_TOKENS {
            return Err(AccessRefused::TooManyTokens(token.user));
        }
        self.tokens.insert(token.id, token.clone());
        Ok(())
    }

    pub(crate) fn remove_token(&mut self, id: TokenId) -> Option<Token> {
        self.tokens.remove(&id)
    }

    /// Signs somebody in. Those that have ended go, and the user's oldest if there are too many; they are returned.
    pub(crate) fn sign_in(&mut self, sign_in: &SignIn) -> Result<Vec<SignInId>, AccessRefused> {
        if self.active(sign_in.user).is_none() {
            return Err(AccessRefused::Revoked(sign_in.user));
        }
        if sign_in.expires <= sign_in.opened {
            return Err(AccessRefused::Expired);
        }
        let mut closed = self.sign_out_all(|s| s.expires <= sign_in.opened);
        // By number, not by time: the clock may have been set back.
        let of_user = self.sign_ins.values().filter(|s| s.user == sign_in.user);
        let own: Vec<_> = of_user.map(|s| s.id).collect();
        let too_many = (own.len() + 1).saturating_sub(MOST_SIGN_INS);
        for id in own.into_iter().take(too_many) {
            self.sign_ins.remove(&id);
            closed.push(id);
        }
        self.sign_ins.insert(sign_in.id, *sign_in);
        Ok(closed)
    }

    pub(crate) fn sign_out(&mut self, id: SignInId) -> Option<SignIn> {
        self.sign_ins.remove(&id)
    }

    fn sign_out_all(&mut self, ends: impl Fn(&SignIn) -> bool) -> Vec<SignInId> {
        let ids: Vec<_> = self
            .sign_ins
            .values()
            .filter(|s| ends(s))
            .map(|s| s.id)
            .collect();
        self.sign_ins.retain(|_, s| !ends(s));
        ids
    }
}

fn check_name(name: &str) -> Result<(), AccessRefused> {
    let good = !name.trim().is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if good {
        Ok(())
    } else {
        Err(AccessRefused::BadName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64, mandate: Mandate) -> User {
        User {
            id: UserId(id),
            name: format!("user {id}"),
            mandate,
            identity: None,
            standing: UserStanding::Active,
        }
    }

    fn t(s: i64) -> Time {
        Time::from_nanos(s * 1_000_000_000)
    }

    fn sign_in(id: u64, user: u64, opened: i64) -> SignIn {
        SignIn {
            id: SignInId(id),
            user: UserId(user),
            hash: SecretHash([id as u8; 32]),
            opened: t(opened),
            expires: t(opened + 100),
        }
    }

    fn token(id: u64, user: u64, permissions: &[Permission]) -> Token {
        Token {
            id: TokenId(id),
            user: UserId(user),
            name: "a program".into(),
            hash: SecretHash([id as u8; 32]),
            permissions: permissions.iter().copied().collect(),
            created: t(0),
            expires: t(100),
        }
    }

    #[test]
    fn the_table_is_in_the_order_of_the_permissions_and_the_owner_has_all() {
        for (n, (permission, roles, _)) in PERMISSIONS.iter().enumerate() {
            assert_eq!(*permission as usize, n);
            assert!(roles.contains(&Role::Owner), "{permission}");
            assert_eq!(permission.to_string().parse(), Ok(*permission));
        }
        assert!("everything".parse::<Permission>().is_err());
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
    }

    #[test]
    fn the_last_owner_stays_and_a_revoked_user_does_not_come_back() {
        let mut directory = Directory::default();
        directory.put_user(&user(1, Mandate::Owner)).unwrap();
        let demoted = directory.put_user(&user(1, Mandate::Auditor));
        assert_eq!(demoted, Err(AccessRefused::LastOwner(UserId(1))));
        assert_eq!(
            directory.revoke_user(UserId(1)),
            Err(AccessRefused::LastOwner(UserId(1)))
        );
        directory.put_user(&user(2, Mandate::Owner)).unwrap();
        directory.sign_in(&sign_in(1, 1, 0)).unwrap();
        directory.add_token(&token(1, 1, &[])).unwrap();
        let gone = directory.revoke_user(UserId(1)).unwrap();
        assert_eq!(gone, (vec![TokenId(1)], vec![SignInId(1)]));
        assert_eq!(
            directory.put_user(&user(1, Mandate::Owner)),
            Err(AccessRefused::Revoked(UserId(1)))
        );
        assert!(directory.sign_in(&sign_in(2, 1, 0)).is_err());
    }

    #[test]
    fn names_and_identities_are_one_persons() {
        let mut directory = Directory::default();
        let identity = Some(Identity {
            issuer: "https://id.example".into(),
            subject: "17".into(),
        });
        let first = User {
            identity: identity.clone(),
            ..user(1, Mandate::Owner)
        };
        directory.put_user(&first).unwrap();
        let same_name = User {
            name: "user 1".into(),
            ..user(2, Mandate::Support)
        };
        assert_eq!(
            directory.put_user(&same_name),
            Err(AccessRefused::NameTaken("user 1".into()))
        );
        let same_identity = User {
            identity,
            ..user(2, Mandate::Support)
        };
        assert_eq!(
            directory.put_user(&same_identity),
            Err(AccessRefused::IdentityTaken(UserId(1)))
        );
        // A name that was given up is free again.
        let renamed = User {
            name: "other".into(),
            ..first
        };
        directory.put_user(&renamed).unwrap();
        directory.put_user(&same_name).unwrap();
        for name in ["", "  ", "a\nb", &"x".repeat(65)] {
            let bad = User {
                name: name.into(),
                ..user(3, Mandate::Support)
            };
            assert_eq!(directory.put_user(&bad), Err(AccessRefused::BadName));
        }
    }

    #[test]
    fn a_token_opens_while_it_lasts_and_allows_no_more_than_the_role() {
        let mut directory = Directory::default();
        directory.put_user(&user(1, Mandate::Planner)).unwrap();
        let refused = directory.add_token(&token(7, 1, &[Permission::ReadAudit]));
        assert_eq!(
            refused,
            Err(AccessRefused::NotOfRole {
                role: Role::Planner,
                permission: Permission::ReadAudit
            })
        );
        let good = token(7, 1, &[Permission::ReadNetwork]);
        directory.add_token(&good).unwrap();
        let opens = |secret, at| directory.by_token(TokenId(7), secret, t(at)).is_some();
        assert!(opens(good.hash, 0) && opens(good.hash, 99));
        assert!(!opens(good.hash, -1) && !opens(good.hash, 100));
        assert!(!opens(SecretHash([8; 32]), 50));
    }

    #[test]
    fn old_sessions_go_when_new_ones_come() {
        let mut directory = Directory::default();
        directory.put_user(&user(1, Mandate::Owner)).unwrap();
        for n in 0..MOST_SIGN_INS as u64 {
            assert_eq!(directory.sign_in(&sign_in(n, 1, n as i64)), Ok(vec![]));
        }
        assert_eq!(
            directory.sign_in(&sign_in(50, 1, 50)),
            Ok(vec![SignInId(0)])
        );
        let secret = SecretHash([50; 32]);
        assert!(directory.by_sign_in(SignInId(50), secret, t(149)).is_some());
        assert!(directory.by_sign_in(SignInId(50), secret, t(150)).is_none());
        // All but the last have ended by then.
        let closed = directory.sign_in(&sign_in(51, 1, 149)).unwrap();
        assert_eq!(closed.len(), MOST_SIGN_INS - 1);
        let password = Password {
            hash: "$argon2id$".into(),
            kind: PasswordKind::Own,
        };
        let closed = directory.set_password(UserId(1), &password).unwrap();
        assert_eq!(closed, [SignInId(50), SignInId(51)]);
    }

    #[test]
    fn the_oldest_session_is_the_first_one_whatever_the_clock_said() {
        let mut directory = Directory::default();
        directory.put_user(&user(1, Mandate::Owner)).unwrap();
        let full = MOST_SIGN_INS as u64;
        for n in 0..full {
            directory.sign_in(&sign_in(n, 1, 50)).unwrap();
        }
        // The clock was set back: these are the newest all the same.
        for n in 0..3 {
            let closed = directory.sign_in(&sign_in(full + n, 1, 20)).unwrap();
            assert_eq!(closed, [SignInId(n)]);
        }
        // What was opened at a time to come is not good before that.
        let opens = |n: u64, at| {
            let secret = SecretHash([n as u8; 32]);
            directory.by_sign_in(SignInId(n), secret, t(at)).is_some()
        };
        assert!(opens(full, 20) && !opens(full - 1, 20));
        assert!(opens(full, 50) && opens(full - 1, 50));
    }
}
