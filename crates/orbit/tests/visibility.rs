//! The index against brute force, and against published counts of satellites in view.

mod common;

use common::{columns, shared, snapshot};
use proptest::prelude::*;
use skyweave_base::{Ecef, Enu, Geodetic, Span, Time, Utc, Vec3};
use skyweave_orbit::{Format, Sky, Visibility, in_view, parse, visible};

fn place(lat_deg: f64, lon_deg: f64, height_m: f64) -> Geodetic {
    Geodetic {
        height_m,
        ..Geodetic::from_degrees(lat_deg, lon_deg).unwrap()
    }
}

fn brute_force(place: Geodetic, satellites: &[Ecef], min_elevation_rad: f64) -> Vec<u32> {
    (0..satellites.len() as u32)
        .filter(|&i| {
            in_view(
                place.to_ecef(),
                place.up(),
                satellites[i as usize],
                min_elevation_rad,
            )
        })
        .collect()
}

/// Points in clusters, so that blocks are narrow, and over the globe, so that they are wide.
fn points() -> impl Strategy<Value = Vec<Geodetic>> {
    let anywhere = (-90.0..=90.0_f64, -180.0..180.0_f64, -400.0..9000.0_f64)
        .prop_map(|(lat, lon, h)| place(lat, lon, h));
    let cluster = (
        -89.0..89.0_f64,
        -180.0..180.0_f64,
        0.01..8.0_f64,
        1..300_usize,
    )
        .prop_flat_map(|(lat, lon, size, n)| {
            prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), n).prop_map(move |cells| {
                cells
                    .iter()
                    .map(|(a, b)| {
                        place((lat + a * size).min(90.0), (lon + b * size).min(180.0), 0.0)
                    })
                    .collect()
            })
        });
    (
        prop::collection::vec(anywhere, 0..80),
        prop::collection::vec(cluster, 0..4),
    )
        .prop_map(|(anywhere, clusters): (Vec<_>, Vec<Vec<_>>)| {
            clusters.concat().into_iter().chain(anywhere).collect()
        })
}

/// From below the horizon of everyone to beyond the geostationary orbit, most in low orbit.
fn satellites() -> impl Strategy<Value = Vec<Ecef>> {
    let height_m =
        prop_oneof![8 => 300e3..1500e3_f64, 1 => -6000e3..300e3_f64, 1 => 1500e3..50_000e3_f64];
    prop::collection::vec((-90.0..=90.0_f64, -180.0..180.0_f64, height_m), 0..400).prop_map(|all| {
        all.into_iter()
            .map(|(lat, lon, h)| place(lat, lon, h).to_ecef())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_brute_force_finds(points in points(), satellites in satellites(), mask_deg in -10.0..90.0_f64) {
        let mask_rad = mask_deg.to_radians();
        let lists = Visibility::new(&points).lists(&satellites, mask_rad);
        prop_assert_eq!(lists.len(), points.len());
        for (i, &point) in points.iter().enumerate() {
            prop_assert_eq!(lists.of(i), brute_force(point, &satellites, mask_rad), "{:?}", point);
        }
    }

    #[test]
    fn both_instants_is_the_intersection(points in points(), start in satellites(), turn_rad in -0.1..0.1_f64, mask_deg in 0.0..60.0_f64) {
        let mask_rad = mask_deg.to_radians();
        let end: Vec<Ecef> = start.iter().map(|s| Ecef(s.0.rotate_frame_z(turn_rad))).collect();
        let visibility = Visibility::new(&points);
        let (at_start, at_end) = (visibility.lists(&start, mask_rad), visibility.lists(&end, mask_rad));
        let both = visibility.lists_at_both(&start, &end, mask_rad);
        for i in 0..points.len() {
            let expected: Vec<u32> = at_start.of(i).iter().copied().filter(|s| at_end.of(i).contains(s)).collect();
            prop_assert_eq!(both.of(i), expected);
        }
    }

    /// The test without a square root is the elevation of `Enu`, but for rounding at the edge itself.
    #[test]
    fn in_view_is_elevation(lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64, satellites in satellites(), mask_deg in 0.0..89.0_f64) {
        const EDGE_RAD: f64 = 1e-9;
        let here = place(lat, lon, 0.0);
        for satellite in satellites {
            let above_rad = Enu::at(here).look(satellite).elevation_rad - mask_deg.to_radians();
            if above_rad.abs() > EDGE_RAD {
                let seen = in_view(here.to_ecef(), here.up(), satellite, mask_deg.to_radians());
                prop_assert_eq!(seen, above_rad > 0.0);
            }
        }
    }
}

#[test]
fn nothing_sees_nothing() {
    let nowhere = Visibility::new(&[]);
    assert!(
        nowhere
            .lists(&[place(0.0, 0.0, 550e3).to_ecef()], 0.4)
            .is_empty()
    );
    let somewhere = Visibility::new(&[place(50.0, 30.0, 0.0)]);
    assert_eq!(somewhere.lists(&[], 0.4).of(0), &[] as &[u32]);
    let nan = Ecef(Vec3::new(f64::NAN, 0.0, 0.0));
    assert_eq!(
        somewhere
            .lists(&[nan, place(50.0, 30.0, 550e3).to_ecef()], 0.4)
            .of(0),
        &[1]
    );
}

#[test]
fn the_lists_do_not_depend_on_the_number_of_threads() {
    let points: Vec<Geodetic> = (0..20_000)
        .map(|i| place(f64::from(i % 141) - 60.0, f64::from(i) * 0.017 - 170.0, 0.0))
        .collect();
    let satellites: Vec<Ecef> = (0..2_000)
        .map(|i| {
            place(
                f64::from(i % 107) - 53.0,
                f64::from(i) * 0.17 - 170.0,
                550e3,
            )
            .to_ecef()
        })
        .collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let lists = Visibility::new(&points).lists(&satellites, 0.4);
            lists.iter().map(<[u32]>::to_vec).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(2));
}

/// Every 5 minutes over 24 hours: from noon of the snapshot's day, with which all 26 rows agree in mean, least and most
/// (from midnight they differ by 0.2 and by up to 5). The file prints means to two decimals.
#[test]
fn the_number_in_view_is_that_of_the_published_table() {
    const MEAN: f64 = 0.0051;
    let Some(table) = shared("data/orbits/visibility_2026-05-21.csv") else {
        return;
    };
    let rows = columns(
        &table,
        [
            "lat_deg",
            "lon_deg",
            "min_elevation_deg",
            "mean_in_view",
            "min_in_view",
            "max_in_view",
        ],
    );
    assert_eq!(rows.len(), 26);
    let mut elements = parse(&snapshot(), Format::Tle).unwrap();
    elements.retain(|e| (455e3..=580e3).contains(&e.altitude_m()));
    let sky = Sky::new(&elements).unwrap();
    let places: Vec<Geodetic> = rows.iter().map(|row| place(row[0], row[1], 0.0)).collect();
    let visibility = Visibility::new(&places);
    let noon = Time::from("2026-05-21T12:00:00Z".parse::<Utc>().unwrap());
    let mut counts = vec![Vec::new(); rows.len()];
    for step in 0..288 {
        let satellites: Vec<Ecef> = sky
            .ecef_all(noon + Span::from_secs(300) * step)
            .into_iter()
            .flatten()
            .collect();
        for mask_deg in [25.0, 40.0_f64] {
            let lists = visibility.lists(&satellites, mask_deg.to_radians());
            for i in (0..rows.len()).filter(|&i| rows[i][2] == mask_deg) {
                counts[i].push(lists.of(i).len());
            }
        }
    }
    for (row, counts) in rows.iter().zip(&counts) {
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!((mean - row[3]).abs() < MEAN, "{row:?}: {mean}");
        assert_eq!((*least as f64, *most as f64), (row[4], row[5]), "{row:?}");
    }
}

#[test]
fn one_place_sees_what_the_index_sees() {
    let elements = parse(&snapshot(), Format::Tle).unwrap();
    let sky = Sky::new(&elements).unwrap();
    let kyiv = place(50.45, 30.52, 0.0);
    let t = Time::from("2026-05-21T12:00:00Z".parse::<Utc>().unwrap());
    let mask_rad = 25.0_f64.to_radians();
    let positions: Vec<Ecef> = sky.ecef_all(t).into_iter().map(Option::unwrap).collect();
    let seen = visible(&sky, kyiv, t, mask_rad);
    let ids: Vec<u32> = seen.iter().map(|sighting| sighting.satellite.0).collect();
    assert_eq!(
        ids,
        Visibility::new(&[kyiv]).lists(&positions, mask_rad).of(0)
    );
    // The range rate is the slope of the range: within the 0.4 m/s by which SGP4's velocity is off, and the curvature.
    let dt = Span::from_millis(500);
    for sighting in seen {
        let range_m = |t| {
            Enu::at(kyiv)
                .look(sky.ecef(sighting.satellite, t).unwrap())
                .range_m
        };
        let slope = (range_m(t + dt) - range_m(t - dt)) / 1.0;
        assert!(
            (slope - sighting.range_rate_m_s).abs() < 0.5,
            "{slope} {}",
            sighting.range_rate_m_s
        );
    }
}
