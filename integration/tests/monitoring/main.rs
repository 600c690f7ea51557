//! What `deploy/prometheus` and `docs/monitoring.md` ship, in Debian's own Prometheus, which scrapes
//! real Envoys of the lab.

mod alerts;
mod probe;
mod prometheus;
mod queries;
mod quiet;
mod scaled;
mod shipped;
mod site;
mod upgrade;
