//! An emulator whose exchanges are compared with the documents as they happen;
//! findings are collected, so that one run shows all of them.

use std::sync::Arc;

use okta_emulator::Contract;
use serde_json::Value;

use crate::kit::Kit;

/// An emulator whose every exchange is checked.
pub(crate) struct Checked {
    pub(crate) kit: Kit,
    contract: Arc<Contract>,
    wrong: std::cell::RefCell<Vec<String>>,
    checked: std::cell::Cell<usize>,
}

impl Checked {
    pub(crate) fn new(kit: Kit, contract: Arc<Contract>) -> Self {
        Self {
            kit,
            contract,
            wrong: std::cell::RefCell::default(),
            checked: std::cell::Cell::new(0),
        }
    }

    /// Fails on any finding, and on too few exchanges.
    pub(crate) fn conclude(&self, least: usize) {
        let (wrong, checked) = (self.wrong.borrow(), self.checked.get());
        println!("{checked} exchanges checked, {} findings", wrong.len());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(checked > least);
    }

    /// One exchange; `{}` in the template is filled from `ids`.
    pub(crate) async fn api(
        &self,
        method: &str,
        template: &str,
        ids: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut path = template.to_owned();
        for id in ids {
            path = path.replacen("{}", id, 1);
        }
        let reply = self
            .kit
            .api(method, &format!("{path}{query}"), body.as_ref())
            .await;
        if let Some(body) = &body
            && reply.status < 300
        {
            for error in self
                .contract
                .request(method, template, "application/json", Some(body))
            {
                self.note(format!("request {method} {template}: {error}\n    {body}"));
            }
        }
        for error in self
            .contract
            .answer(method, template, reply.status, &reply.body)
        {
            self.note(format!(
                "{} {method} {template}: {error}\n    {}",
                reply.status, reply.body
            ));
        }
        self.checked.set(self.checked.get() + 1);
        (reply.status, reply.body)
    }

    fn note(&self, text: String) {
        self.wrong.borrow_mut().push(text);
    }
}
