//! The account page: what a terminal's user is told at the PoP, entitled or not.

use crate::live::Page;
use serde::Serialize;
use skyweave_service::{Code, DataCap, Decision, Register, Rule, UtId};

/// What the page tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountPage {
    /// The terminal's name in the network.
    name: String,
    /// Its identifier; none in a network without a service.
    terminal: Option<UtId>,
    /// Where it stands in its life.
    state: Option<&'static str>,
    /// Whether packets go beyond this page.
    service: bool,
    /// What the terminal shows.
    code: Code,
    /// Why, in a sentence.
    reason: String,
    /// What its user can do.
    what_to_do: &'static str,
    /// Its plan.
    plan: Option<String>,
    /// Bytes of this month.
    used_bytes: u64,
    /// Of how many; `None`: no limit.
    allowance_bytes: Option<u64>,
}

impl AccountPage {
    /// The page of a terminal that has proved who it is.
    pub(crate) fn new(
        name: &str,
        terminal: Option<UtId>,
        decision: Option<&Decision>,
        register: Option<&Register>,
    ) -> Self {
        let known = terminal.and_then(|id| register?.terminals().get(&id));
        let plan = known.and_then(|t| register?.plans().get(&t.state.service()?.plan));
        let usage = terminal.and_then(|id| register?.usage().get(&id));
        Self {
            name: name.to_owned(),
            terminal,
            state: known.map(|t| t.state.name()),
            service: decision.is_none_or(Decision::is_granted),
            code: decision.map_or(Code::Okay, Decision::code),
            reason: match decision {
                Some(decision) => decision.sentence().to_owned(),
                None => "This network has no service: every terminal is entitled.".to_owned(),
            },
            what_to_do: match decision {
                Some(Decision::Refused(refusal)) => what_to_do(refusal.rule),
                _ => "Nothing: you are online.",
            },
            plan: plan.map(|p| p.name.clone()),
            used_bytes: usage.map_or(0, |u| u.down_bytes.saturating_add(u.up_bytes)),
            allowance_bytes: plan.and_then(|p| p.cap).map(|DataCap { bytes, .. }| bytes),
        }
    }

    /// In both forms.
    pub(crate) fn page(&self) -> Page {
        let json = serde_json::to_string(self).expect("texts and numbers are JSON");
        Page {
            html: self.html(),
            json: json + "\n",
        }
    }

    fn html(&self) -> String {
        let id = self.terminal.map_or_else(String::new, |t| t.to_string());
        let state = match (self.service, self.state) {
            (true, _) => "service is on".to_owned(),
            (false, Some(state)) => format!("no service; the terminal is {state}"),
            (false, None) => "no service".to_owned(),
        };
        let used = match self.allowance_bytes {
            Some(most) => format!("{} of {} bytes", self.used_bytes, most),
            None => format!("{} bytes", self.used_bytes),
        };
        let rows = [
            ("Terminal", self.name.as_str()),
            ("Identifier", &id),
            ("State", &state),
            ("Plan", self.plan.as_deref().unwrap_or("none")),
            ("Used this month", &used),
        ];
        let rows: String = rows
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value)))
            .collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Your terminal</title>\n\
             <meta name=\"viewport\" content=\"width=device-width\"></head>\n<body><h1>{}</h1>\n\
             <p>{}</p>\n<p>{}</p>\n<dl>\n{rows}</dl></body></html>\n",
            if self.service {
                "You are online"
            } else {
                "You have no service"
            },
            escaped(&self.reason),
            escaped(self.what_to_do),
        )
    }
}

/// What a terminal's user can do about a refusal.
fn what_to_do(rule: Rule) -> &'static str {
    match rule {
        Rule::KeyNotProven => "Use the terminal that the account was opened for.",
        Rule::Blocked => {
            "If this is a mistake, appeal to the operator: service comes back when the appeal is heard."
        }
        Rule::DenyList | Rule::AccountDisabled => "Ask the operator.",
        Rule::Unregistered => "Register the terminal to your account, then activate it.",
        Rule::AccountClosed => "Open an account, or pay the one that has ended.",
        Rule::NotActivated => "Choose a plan and activate the terminal.",
        Rule::Suspended => "Resume the service in your account.",
        Rule::SoftwareTooOld => "Leave the terminal switched on: it updates itself.",
        Rule::LocationUnknown => "Give the terminal a clear view of the sky.",
        Rule::AreaDenied | Rule::NoOpenArea => "Use the terminal where service is open.",
        Rule::NotOnAllowList => "Ask for the terminal to be put on this area's list.",
        Rule::AtSea => "Change to a plan that holds at sea.",
        Rule::OutsidePlanAreas => "Change to a plan that holds here.",
        Rule::TooFarFromPlace => "Take the terminal back, or change your service address.",
        Rule::BelowFlightLevel => "Service begins at the height of your plan.",
        Rule::TooFast => "Slow down; service comes back by itself.",
        Rule::DataCapReached => "Buy more data, or wait for the next month.",
    }
}

/// Text inside an HTML element: names may come from whoever joins.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use skyweave_service::Refusal;

    #[test]
    fn a_refusal_is_told_with_its_reason_and_what_to_do() {
        let refused = Decision::Refused(Refusal {
            code: Code::NoActiveAccount,
            rule: Rule::Suspended,
            area: None,
        });
        let id = UtId::new([1, 2, 3]);
        let page = AccountPage::new("<Kyiv>", Some(id), Some(&refused), None).page();
        for part in [
            "You have no service",
            "Service of this terminal is paused.",
            "Resume the service",
            "&lt;Kyiv&gt;",
            &id.to_string(),
        ] {
            assert!(page.html.contains(part), "{part}: {}", page.html);
        }
        assert!(!page.html.contains("<Kyiv>"));
        let told: serde_json::Value = serde_json::from_str(&page.json).unwrap();
        assert_eq!(told["service"], false);
        assert_eq!(told["code"], "NO_ACTIVE_ACCOUNT");
        assert_eq!(told["terminal"], id.to_string());
    }

    #[test]
    fn who_is_entitled_is_told_so() {
        let page = AccountPage::new("Kyiv", None, None, None).page();
        assert!(page.html.contains("You are online"), "{}", page.html);
        assert!(page.json.contains("\"code\":\"OKAY\""), "{}", page.json);
    }
}
