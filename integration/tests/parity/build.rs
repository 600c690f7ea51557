//! How a row of the table is written.

use lab::kernel::Feature;
use lab::{Listener, Version};
use serde_json::{Value, json};

use crate::rules::Rules;
use crate::scenario::{Bench, Edit, Expected, Holder, Listen, Own, Passenger, Scenario, Without};
use crate::site::{FIXED_UPSTREAM, LOOP_LIMIT};
use crate::traffic::{Ask, From, How};

/// A scenario that nothing is special about yet.
pub fn scenario(name: impl Into<String>) -> Scenario {
    Scenario {
        name: name.into(),
        versions: Version::ALL[0]..=Version::ALL[Version::ALL.len() - 1],
        needs: None,
        bench: Bench::Shared,
        rules: Vec::new(),
        listen: Listen {
            ip: "0.0.0.0".to_owned(),
            http: false,
            fixed: false,
            own: Own::Once,
            before: Vec::new(),
            after: Vec::new(),
            with: Vec::new(),
            edit_filter: None,
            edit: None,
            tunnel: None,
            unbound: Vec::new(),
        },
        asks: Vec::new(),
        expected: Expected::new("", None),
        differs: None,
        without: Without::Fails,
        counter: None,
    }
}

/// Where and with what.
impl Scenario {
    /// With another name.
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// Only this version and later ones.
    pub fn since(self, version: Version) -> Self {
        Self {
            versions: version..=*self.versions.end(),
            ..self
        }
    }

    /// Only this version and earlier ones.
    pub fn until(self, version: Version) -> Self {
        Self {
            versions: *self.versions.start()..=version,
            ..self
        }
    }

    /// Only where the kernel has this.
    pub fn needs(self, feature: Feature) -> Self {
        Self {
            needs: Some(feature),
            ..self
        }
    }

    /// On this bench.
    pub fn bench(self, bench: Bench) -> Self {
        Self { bench, ..self }
    }

    /// Under this rule as well.
    pub fn rule(mut self, rule: Rules) -> Self {
        self.rules.push(rule);
        self
    }

    /// With the listener bound to this address.
    pub fn on(mut self, ip: &str) -> Self {
        self.listen.ip = ip.to_owned();
        self
    }

    /// With a dual-stack listener.
    pub fn dual_stack(self) -> Self {
        self.on("[::]").with(Listener::ipv4_compat)
    }

    /// With a transparent listener.
    pub fn transparent(self) -> Self {
        self.with(Listener::transparent)
    }

    /// With another property of the listener.
    pub fn with(mut self, with: fn(Listener) -> Listener) -> Self {
        self.listen.with.push(with);
        self
    }

    /// With a change of the finished listener.
    pub fn edit(mut self, edit: Edit) -> Self {
        self.listen.edit = Some(edit);
        self
    }

    /// With a change of the filter under test.
    pub fn edit_filter(mut self, edit: Edit) -> Self {
        self.listen.edit_filter = Some(edit);
        self
    }

    /// Over HTTP.
    pub fn http(mut self) -> Self {
        self.listen.http = true;
        self
    }

    /// With a fixed upstream.
    pub fn fixed(mut self) -> Self {
        self.listen.fixed = true;
        self
    }

    /// With the restored address as the upstream, after all.
    pub fn not_fixed(mut self) -> Self {
        self.listen.fixed = false;
        self
    }

    /// With the filter listed otherwise than once.
    pub fn own(mut self, own: Own) -> Self {
        self.listen.own = own;
        self
    }

    /// With this filter in front of the one under test.
    pub fn before(mut self, filter: Value) -> Self {
        self.listen.before.push(filter);
        self
    }

    /// With this filter behind the one under test.
    pub fn after(mut self, filter: Value) -> Self {
        self.listen.after.push(filter);
        self
    }

    /// With a listener at this address that is not bound.
    pub fn unbound(mut self, address: &'static str) -> Self {
        self.listen.unbound.push(address);
        self
    }
}

/// Through an internal listener.
impl Scenario {
    /// With metadata `local` of the tunnel's endpoint.
    pub fn metadata(self, local: impl Into<Value>) -> Self {
        self.passing(Holder::Host, json!({ "local": local.into() }))
    }

    /// With any metadata in the filter's namespace.
    pub fn passing(mut self, holder: Holder, metadata: Value) -> Self {
        self.passenger().metadata.push((holder, metadata));
        self
    }

    /// With filter state.
    pub fn state(mut self, key: &'static str, factory: &'static str, text: &str) -> Self {
        self.passenger().state.push((key, factory, text.to_owned()));
        self
    }

    /// Through a tunnel that brings nothing along.
    pub fn plain_tunnel(mut self) -> Self {
        self.passenger().is_plain = true;
        self
    }

    /// Through a tunnel, whether it brings anything along or not.
    pub fn through_tunnel(mut self) -> Self {
        self.passenger();
        self
    }

    fn passenger(&mut self) -> &mut Passenger {
        self.listen.tunnel.get_or_insert_default()
    }
}

/// What is asked.
impl Scenario {
    /// The client connects.
    pub fn ask(self, to: &str) -> Self {
        let how = if self.listen.http {
            How::Http
        } else {
            How::Tcp
        };
        self.ask_by(From::Client, to, how)
    }

    /// A process beside Envoy connects.
    pub fn ask_beside(self, to: &str) -> Self {
        self.ask_by(From::Gateway, to, How::Tcp)
    }

    /// The client connects and says something special.
    pub fn say(self, to: &str, how: How) -> Self {
        self.ask_by(From::Client, to, how)
    }

    /// Somebody connects.
    pub fn ask_by(mut self, from: From, to: &str, how: How) -> Self {
        self.asks.push(Ask {
            from,
            to: to.to_owned(),
            how,
        });
        self
    }
}

/// What is expected; the end of a row.
impl Scenario {
    /// Restored to the address that was asked for, which is reached, or the fixed upstream.
    pub fn restored(self) -> Self {
        self.restored_to("=")
    }

    /// Restored to this address, which is reached, or the fixed upstream.
    pub fn restored_to(self, local: &str) -> Self {
        let upstream = if self.listen.fixed {
            FIXED_UPSTREAM
        } else {
            local
        };
        let expected = Expected::new(local, Some(upstream));
        self.expect(expected)
    }

    /// Restored to this address, which nobody can be reached at.
    pub fn restored_in_vain(self, local: &str) -> Self {
        self.expect(Expected::new(local, None))
    }

    /// Left at this address, as without a filter.
    pub fn left_at(self, local: &str) -> Self {
        let upstream = self.listen.fixed.then_some(FIXED_UPSTREAM);
        Self {
            without: Without::Same,
            ..self.expect(Expected::new(local, upstream))
        }
    }

    /// The connection never gets to the listener.
    pub fn nothing_arrives(self) -> Self {
        let expected = Expected {
            connections: 0,
            ..Expected::new("", None)
        };
        Self {
            without: Without::Same,
            ..self.expect(expected)
        }
    }

    /// Restored to the listener's own address, to which the cluster connects, again and again, to
    /// the limit of the cluster.
    pub fn loops(self, local: &str) -> Self {
        let connections = LOOP_LIMIT + 1;
        self.expect(Expected {
            connections,
            ..Expected::new(local, None)
        })
    }

    /// Envoy dies of it.
    pub fn dies(self) -> Self {
        self.expect(Expected {
            dies: true,
            ..Expected::new("", None)
        })
    }

    /// This is expected.
    pub fn expect(self, expected: Expected) -> Self {
        let without = if self.listen.fixed {
            Without::NotRestored
        } else {
            Without::Fails
        };
        Self {
            expected,
            without,
            ..self
        }
    }

    /// With this remote address.
    pub fn remote(mut self, remote: &str) -> Self {
        self.expected.remote = Some(remote.to_owned());
        self
    }

    /// Proxied by this listener.
    pub fn taken_by(mut self, listener: &'static str) -> Self {
        self.expected.listener = Some(listener);
        self
    }

    /// The module answers otherwise, on purpose.
    pub fn but_module(self, expected: Expected, reason: &'static str) -> Self {
        Self {
            differs: Some((expected, reason)),
            ..self
        }
    }

    /// Without a filter, this is to be seen.
    pub fn without(self, without: Without) -> Self {
        Self { without, ..self }
    }

    /// The module counts every ask here.
    pub fn counted(self, counter: &'static str) -> Self {
        Self {
            counter: Some(counter),
            ..self
        }
    }
}
