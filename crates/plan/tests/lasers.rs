//! The laser grid of the real constellation: the built-in snapshot of 2026-05-21.

#![allow(clippy::disallowed_methods, reason = "the snapshot is a file")]

use skyweave_base::{SatId, Span, Time, Utc};
use skyweave_orbit::{Elements, Format, Phasing, ShellSize, Sky, WalkerShell};
use skyweave_plan::{Seam, laser_usable, plus_grid, walker_grid};
use skyweave_radio::Profile;
use std::fs;

fn snapshot() -> (Vec<Elements>, Vec<bool>, Time) {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/orbits/starlink-2026-05-21.tle"
    );
    let elements = skyweave_orbit::parse(&fs::read_to_string(file).unwrap(), Format::Tle).unwrap();
    // The bands of the operational shells (data/README.md, shells_observed.csv).
    let in_service = elements
        .iter()
        .map(|e| (455e3..580e3).contains(&e.altitude_m()))
        .collect();
    (
        elements,
        in_service,
        "2026-05-21T00:00:12Z".parse::<Utc>().unwrap().into(),
    )
}

/// Sizes of the connected parts among the satellites that have a link, largest first.
fn parts(satellites: usize, links: &[(SatId, SatId)]) -> Vec<usize> {
    let mut part: Vec<usize> = (0..satellites).collect();
    fn root(part: &mut [usize], mut s: usize) -> usize {
        while part[s] != s {
            part[s] = part[part[s]];
            s = part[s];
        }
        s
    }
    for &(a, b) in links {
        let (a, b) = (root(&mut part, a.index()), root(&mut part, b.index()));
        part[a.max(b)] = a.min(b);
    }
    let mut sizes = vec![0; satellites];
    for s in 0..satellites {
        sizes[root(&mut part, s)] += 1;
    }
    sizes.retain(|&size| size > 1);
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

#[test]
fn nearly_every_satellite_has_four_links_that_last() {
    let (elements, in_service, t) = snapshot();
    let links = plus_grid(&elements, &in_service, t);
    assert!(links.is_sorted() && links.iter().all(|(a, b)| a < b));

    let mut degree = vec![0; elements.len()];
    for &(a, b) in &links {
        assert!(in_service[a.index()] && in_service[b.index()]);
        degree[a.index()] += 1;
        degree[b.index()] += 1;
    }
    let serving = in_service.iter().filter(|&&s| s).count();
    let mut of_degree = [0; 5];
    for (&degree, _) in degree
        .iter()
        .zip(&in_service)
        .filter(|&(_, &serving)| serving)
    {
        of_degree[degree] += 1;
    }
    let share = |n: usize| n as f64 / serving as f64;
    let shares = of_degree.map(share);
    println!(
        "{serving} satellites, {} links; with 0..4 links: {of_degree:?} = {shares:.3?}",
        links.len()
    );

    let sky = Sky::new(&elements).unwrap();
    let limits = Profile::builtin("starlink").unwrap().laser;
    for minutes in [0, 45, 90, 24 * 60] {
        let at = sky.ecef_all(t + Span::from_secs(60 * minutes));
        let mut lengths: Vec<f64> = Vec::new();
        let mut up = Vec::new();
        for &(a, b) in &links {
            let (Some(here), Some(there)) = (at[a.index()], at[b.index()]) else {
                continue;
            };
            if laser_usable(&limits, here, there) {
                lengths.push(here.distance_m(there) / 1e3);
                up.push((a, b));
            }
        }
        lengths.sort_by(f64::total_cmp);
        let quantile = |q: f64| lengths[((lengths.len() - 1) as f64 * q) as usize];
        println!(
            "after {minutes} min: {} of {} links up; km: median {:.0}, p90 {:.0}, p99 {:.0}, max {:.0}; parts {:?}",
            up.len(),
            links.len(),
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(1.0),
            parts(elements.len(), &up),
        );
        // Chosen to stand all along the orbit; a day of drifts within the shells may cost a few.
        let least = if minutes <= 90 { 0.999 } else { 0.995 };
        assert!(up.len() as f64 >= least * links.len() as f64);
    }
    assert!(shares[4] > 0.95, "{shares:?}");
}

#[test]
fn a_walker_set_is_one_grid_of_four_links_each() {
    let shell = WalkerShell {
        name: "walker".to_owned(),
        first_catalog_number: 1,
        size: ShellSize::AltitudeM(550e3),
        inclination_rad: 53.0_f64.to_radians(),
        planes: 72,
        satellites_per_plane: 22,
        phasing: Phasing::Walker(17),
        raan_span_rad: core::f64::consts::TAU,
    };
    let epoch: Utc = "2026-05-21T00:00:00Z".parse().unwrap();
    let elements = shell.elements(epoch);
    // Half a day later all planes have turned alike.
    let links = plus_grid(
        &elements,
        &vec![true; elements.len()],
        Time::from(epoch) + Span::from_secs(43_200),
    );
    assert_eq!(links.len(), 2 * elements.len());
    assert_eq!(parts(elements.len(), &links), [elements.len()]);
    // Within the planes it is Hypatia's ring; across them to the nearest, which Walker's phasing puts at another number.
    let ring = |links: &[(SatId, SatId)]| -> Vec<(SatId, SatId)> {
        links
            .iter()
            .copied()
            .filter(|(a, b)| a.0 / 22 == b.0 / 22)
            .collect()
    };
    assert_eq!(
        ring(&links),
        ring(&walker_grid(SatId(0), 72, 22, Seam::Closed))
    );
    let one_off = plus_grid(&elements, &[true, false, true], epoch.into());
    assert_eq!(one_off, [(SatId(0), SatId(2))]);
}
