//! The index against brute force, and against published counts of satellites in view.

mod common;

use common::{columns, shared, snapshot};
use proptest::prelude::*;
use skyweave_base::{Ecef, Enu, Geodetic, Span, Time, Utc, Vec3};
use skyweave_orbit::{
    Format, HorizonMask, HorizonMaskError, Lists, Sky, Visibility, in_view, parse, passes, visible,
};

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

/// Each satellite of the snapshot and each of thousands of points.
#[test]
fn the_whole_snapshot_is_as_brute_force_finds_it() {
    let sky = Sky::new(&parse(&snapshot(), Format::Tle).unwrap()).unwrap();
    let t = Time::from("2026-05-21T12:00:00Z".parse::<Utc>().unwrap());
    let satellites: Vec<Ecef> = sky.ecef_all(t).into_iter().flatten().collect();
    let anywhere = (0..1500).map(|i| {
        place(
            f64::from(i) * 0.12 - 90.0,
            f64::from(i * 137 % 360) - 180.0,
            0.0,
        )
    });
    let country = (0..1500).map(|i| {
        place(
            45.0 + 0.004 * f64::from(i),
            22.0 + f64::from(i * 137 % 1800) * 0.01,
            200.0,
        )
    });
    let points: Vec<Geodetic> = anywhere.chain(country).collect();
    let visibility = Visibility::new(&points);
    let mut lists = Lists::default();
    for mask_deg in [-5.0, 0.0, 25.0, 40.0_f64] {
        visibility.lists_into(&satellites, mask_deg.to_radians(), &mut lists);
        for (i, &point) in points.iter().enumerate() {
            assert_eq!(
                lists.of(i),
                brute_force(point, &satellites, mask_deg.to_radians()),
                "{mask_deg}, {point:?}"
            );
        }
    }
}

#[test]
fn lists_are_filled_again_whatever_they_held() {
    let many: Vec<Geodetic> = (0..5000)
        .map(|i| place(f64::from(i % 120) - 60.0, f64::from(i % 359), 0.0))
        .collect();
    let satellites: Vec<Ecef> = (0..500)
        .map(|i| place(f64::from(i % 100) - 50.0, f64::from(i % 359), 550e3).to_ecef())
        .collect();
    let (world, village) = (Visibility::new(&many), Visibility::new(&many[..3]));
    let mut lists = world.lists(&satellites, 0.1);
    village.lists_into(&satellites[..100], 0.4, &mut lists);
    let fresh = village.lists(&satellites[..100], 0.4);
    assert_eq!((lists.len(), lists.pairs()), (3, fresh.pairs()));
    assert!(lists.iter().eq(fresh.iter()));
    Visibility::default().lists_into(&satellites, 0.1, &mut lists);
    assert!(lists.is_empty() && lists.pairs() == 0);
}

const DEG: f64 = core::f64::consts::PI / 180.0;

#[test]
fn a_mask_is_linear_between_its_corners_and_steps_where_two_meet() {
    let mask = HorizonMask::new(&[
        (10.0 * DEG, 0.0),
        (20.0 * DEG, 0.4),
        (20.0 * DEG, 0.6),
        (350.0 * DEG, 0.2),
    ])
    .unwrap();
    let near = |azimuth_deg: f64, expected: f64| {
        let found = mask.at(azimuth_deg * DEG);
        // A few roundings of numbers below 2π.
        assert!((found - expected).abs() < 1e-14, "{azimuth_deg}: {found}");
    };
    near(10.0, 0.0);
    near(15.0, 0.2);
    near(20.0, 0.6);
    near(185.0, 0.4);
    near(350.0, 0.2);
    near(0.0, 0.1);
    near(5.0, 0.05);
    assert_eq!(mask.least_rad(), 0.0);
    assert_eq!(HorizonMask::from(0.3).at(4.0), 0.3);
}

#[test]
fn what_is_no_mask_is_refused() {
    assert_eq!(HorizonMask::new(&[]), Err(HorizonMaskError::Empty));
    let azimuth =
        |azimuth_rad: f64| HorizonMask::new(&[(0.0, 0.1), (azimuth_rad, 0.1)]).unwrap_err();
    assert_eq!(
        azimuth(-0.1),
        HorizonMaskError::Azimuth {
            corner: 1,
            azimuth_rad: -0.1
        }
    );
    assert_eq!(
        azimuth(7.0),
        HorizonMaskError::Azimuth {
            corner: 1,
            azimuth_rad: 7.0
        }
    );
    assert!(matches!(
        azimuth(f64::NAN),
        HorizonMaskError::Azimuth { corner: 1, .. }
    ));
    let elevation = HorizonMask::new(&[(0.0, 25.0)]).unwrap_err();
    assert_eq!(
        elevation.to_string(),
        "pair 0: elevation 25 rad is not from -π/2 to π/2"
    );
    let order = |pairs: &[(f64, f64)]| HorizonMask::new(pairs).unwrap_err();
    assert_eq!(
        order(&[(1.0, 0.1), (0.5, 0.1)]),
        HorizonMaskError::Order { corner: 1 }
    );
    assert_eq!(
        order(&[(1.0, 0.1), (1.0, 0.2), (1.0, 0.3)]),
        HorizonMaskError::Order { corner: 2 }
    );
}

/// A hill in the south, of 60 degrees: for the point that has it, nothing below it is in view; the others see as before.
#[test]
fn a_mask_of_its_own_hides_satellites_from_a_point() {
    let sky = Sky::new(&parse(&snapshot(), Format::Tle).unwrap()).unwrap();
    let t = Time::from("2026-05-21T12:00:00Z".parse::<Utc>().unwrap());
    let satellites: Vec<Ecef> = sky.ecef_all(t).into_iter().map(Option::unwrap).collect();
    let later: Vec<Ecef> = sky
        .ecef_all(t + Span::from_secs(15))
        .into_iter()
        .map(Option::unwrap)
        .collect();
    let hill = HorizonMask::new(&[
        (90.0 * DEG, 0.0),
        (90.0 * DEG, 60.0 * DEG),
        (270.0 * DEG, 60.0 * DEG),
        (270.0 * DEG, 0.0),
    ])
    .unwrap();
    let points: Vec<Geodetic> = (0..100)
        .map(|i| place(45.0 + 0.05 * f64::from(i), 30.0, 0.0))
        .collect();
    let (plain, masked) = (
        Visibility::new(&points),
        Visibility::with_masks(&points, [(42, hill.clone())]),
    );
    let mask_rad = 25.0 * DEG;
    let (all, lists) = (
        plain.lists(&satellites, mask_rad),
        masked.lists(&satellites, mask_rad),
    );
    let both = masked.lists_at_both(&satellites, &later, mask_rad);
    let enu = Enu::at(points[42]);
    let is_clear = |at: &[Ecef], s: u32| hill.admits(&enu.look(at[s as usize]));
    let expected: Vec<u32> = all
        .of(42)
        .iter()
        .copied()
        .filter(|&s| is_clear(&satellites, s))
        .collect();
    assert!(expected.len() < all.of(42).len() && !expected.is_empty());
    assert_eq!(lists.of(42), expected);
    let at_both = plain.lists_at_both(&satellites, &later, mask_rad);
    let clear_at_both = at_both
        .of(42)
        .iter()
        .copied()
        .filter(|&s| is_clear(&satellites, s) && is_clear(&later, s));
    assert!(both.of(42).iter().copied().eq(clear_at_both));
    assert!(
        (0..100)
            .filter(|&i| i != 42)
            .all(|i| lists.of(i) == all.of(i))
    );

    // The single place: the same satellites above the hill, and passes that begin or end behind it.
    let sighted: Vec<u32> = visible(&sky, points[42], t, hill.clone())
        .iter()
        .map(|s| s.satellite.0)
        .collect();
    let above = (0..satellites.len() as u32).filter(|&s| is_clear(&satellites, s));
    assert!(sighted.iter().copied().eq(above));
    let few = Sky::new(
        &parse(&snapshot(), Format::Tle)
            .unwrap()
            .into_iter()
            .step_by(100)
            .collect::<Vec<_>>(),
    )
    .unwrap();
    let until = t + Span::from_secs(6 * 3600);
    let found = passes(&few, points[42], t, until, hill.clone());
    assert!(!found.is_empty() && found.len() != passes(&few, points[42], t, until, 0.0).len());
    for pass in found {
        let edges = pass.rise.iter().chain(&pass.set);
        assert!(
            edges.clone().all(|sighting| hill.admits(&sighting.look)),
            "{pass:?}"
        );
        // A millisecond on the other side of the edge it is hidden: the search ends there.
        for (sighting, away) in pass
            .rise
            .iter()
            .map(|s| (s, -1))
            .chain(pass.set.iter().map(|s| (s, 1)))
        {
            let beyond = few
                .ecef(sighting.satellite, sighting.time + Span::from_millis(away))
                .unwrap();
            assert!(!hill.admits(&enu.look(beyond)), "{sighting:?}");
        }
    }
}
