//! Service areas: where the service is open, closed, on request, slower, or sea, and from when until when.

use crate::ids::{AreaId, ListId, Market};
use crate::shape::{Fix, Shape, ShapeError};
use geojson::{GeoJson, GeometryValue};
use serde::{Deserialize, Serialize};
use skyweave_base::{PopId, Time, Utc};

/// A named part of the Earth's surface with a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceArea {
    /// Which area.
    pub id: AreaId,
    /// For people.
    pub name: String,
    /// The country that it belongs to, if it belongs to one.
    pub market: Option<Market>,
    /// What holds in it.
    pub kind: AreaKind,
    /// Among areas that contradict, the greatest decides (see [`ServiceArea::order`]).
    pub precedence: i32,
    /// When it begins and ends: what is not in force does not exist.
    pub validity: Validity,
    /// Where.
    pub shape: Shape,
}

/// From a time on, and until another: `[from, until)`. Empty if `until` is not after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// First instant; `None`: always was.
    pub from: Option<Time>,
    /// First instant after; `None`: without end.
    pub until: Option<Time>,
}

/// What holds in an area. The first three decide access, each of the others something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AreaKind {
    /// Service for all.
    Allow {
        /// The point of presence that terminals here should use.
        pop: Option<PopId>,
    },
    /// No service.
    Deny {
        /// What the terminal shows.
        shown: Blocked,
    },
    /// Service for those on a list.
    AllowListRequired {
        /// The list.
        list: ListId,
        /// The point of presence that terminals here should use.
        pop: Option<PopId>,
    },
    /// Service up to a speed over ground.
    SpeedLimit {
        /// The greatest speed with service, m/s.
        max_speed_m_s: f64,
        /// Terminals on this list may be faster.
        exempt: Option<ListId>,
    },
    /// Sea: plans without it end here, except where an access area of the same or a greater precedence says land.
    Sea,
}

/// Which of the codes for a closed place a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// The whole country.
    Country,
    /// Part of it.
    Area,
    /// A cell switched off for reasons of the network.
    Cell,
}

impl Validity {
    /// Always.
    pub const ALWAYS: Self = Self {
        from: None,
        until: None,
    };

    /// True if it is in force at `t`.
    pub fn contains(&self, t: Time) -> bool {
        self.from.is_none_or(|from| from <= t) && self.until.is_none_or(|until| t < until)
    }
}

impl ServiceArea {
    /// The allow lists that the area names.
    pub fn lists(&self) -> Vec<ListId> {
        match self.kind {
            AreaKind::AllowListRequired { list, .. } => vec![list],
            AreaKind::SpeedLimit { exempt, .. } => exempt.into_iter().collect(),
            AreaKind::Allow { .. } | AreaKind::Deny { .. } | AreaKind::Sea => Vec::new(),
        }
    }

    /// Areas in the order in which they decide: greater precedence first, then the stricter kind, then the lower id.
    /// Ids are unique, so the order is total.
    pub fn order(&self) -> impl Ord + use<> {
        let strictness = match &self.kind {
            AreaKind::Deny { .. } => 0,
            AreaKind::AllowListRequired { .. } => 1,
            AreaKind::Allow { .. } => 2,
            AreaKind::SpeedLimit { .. } => 3,
            AreaKind::Sea => 4,
        };
        (core::cmp::Reverse(self.precedence), strictness, self.id)
    }
}

/// What of a feature could not be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("feature {feature}: {reason}")]
pub struct BadArea {
    /// Counted from 0.
    pub feature: usize,
    /// Why.
    pub reason: BadAreaReason,
}

/// Why a feature is not a service area.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadAreaReason {
    /// The text as a whole is not GeoJSON.
    #[error("not a GeoJSON FeatureCollection: {0}")]
    NotGeoJson(String),
    /// The properties do not say what an area needs.
    #[error("properties: {0}")]
    Properties(String),
    /// Not polygons.
    #[error("expected a Polygon or a MultiPolygon, found {0}")]
    NotPolygons(String),
    /// Polygons that enclose nothing clear.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Twice in one text.
    #[error("the id {0} stands twice")]
    SameId(AreaId),
    /// A speed below zero or none at all.
    #[error("max_speed_km_h is {0}: expected a number of 0 or more")]
    Speed(f64),
    /// An area that is never in force.
    #[error("valid_until is not after valid_from")]
    NeverValid,
}

/// Reads service areas from a GeoJSON FeatureCollection (RFC 7946) of Polygons and MultiPolygons: all or none.
///
/// Properties: `id`, `name`, `kind` (`allow`, `deny`, `allow_list`, `speed_limit`, `sea`), and as the kind needs `list`,
/// `shown` (`country`, `area`, `cell`), `max_speed_km_h`, `exempt_list`, `pop`; optional `precedence`, `market`,
/// `valid_from` and `valid_until` (UTC).
///
/// # Errors
/// Every feature that cannot be used, with the reason.
pub fn parse_areas(text: &str) -> Result<Vec<(ServiceArea, Vec<Fix>)>, Vec<BadArea>> {
    let whole = |reason: String| {
        vec![BadArea {
            feature: 0,
            reason: BadAreaReason::NotGeoJson(reason),
        }]
    };
    let geojson: GeoJson = text
        .parse()
        .map_err(|e: geojson::Error| whole(e.to_string()))?;
    let GeoJson::FeatureCollection(collection) = geojson else {
        return Err(whole("it is a single feature or geometry".to_owned()));
    };
    let (mut areas, mut bad) = (Vec::<(ServiceArea, _)>::new(), Vec::new());
    for (feature, value) in collection.features.into_iter().enumerate() {
        match read_feature(value) {
            Ok((area, _)) if areas.iter().any(|(a, _)| a.id == area.id) => {
                bad.push(BadArea {
                    feature,
                    reason: BadAreaReason::SameId(area.id),
                });
            }
            Ok(area) => areas.push(area),
            Err(reason) => bad.push(BadArea { feature, reason }),
        }
    }
    if bad.is_empty() { Ok(areas) } else { Err(bad) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    id: AreaId,
    name: String,
    kind: Kind,
    #[serde(default)]
    precedence: i32,
    market: Option<Market>,
    valid_from: Option<Utc>,
    valid_until: Option<Utc>,
    list: Option<ListId>,
    exempt_list: Option<ListId>,
    shown: Option<Blocked>,
    max_speed_km_h: Option<f64>,
    pop: Option<PopId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Allow,
    Deny,
    AllowList,
    SpeedLimit,
    Sea,
}

fn read_feature(feature: geojson::Feature) -> Result<(ServiceArea, Vec<Fix>), BadAreaReason> {
    let map = serde_json::Value::Object(feature.properties.unwrap_or_default());
    let p: Properties =
        serde_json::from_value(map).map_err(|e| BadAreaReason::Properties(e.to_string()))?;
    let missing = |name: &str| BadAreaReason::Properties(format!("missing field `{name}`"));
    let kind = match p.kind {
        Kind::Allow => AreaKind::Allow { pop: p.pop },
        Kind::Deny => AreaKind::Deny {
            shown: p.shown.unwrap_or(Blocked::Area),
        },
        Kind::AllowList => AreaKind::AllowListRequired {
            list: p.list.ok_or_else(|| missing("list"))?,
            pop: p.pop,
        },
        Kind::SpeedLimit => {
            let km_h = p.max_speed_km_h.ok_or_else(|| missing("max_speed_km_h"))?;
            if !(km_h >= 0.0 && km_h.is_finite()) {
                return Err(BadAreaReason::Speed(km_h));
            }
            AreaKind::SpeedLimit {
                max_speed_m_s: km_h / 3.6,
                exempt: p.exempt_list,
            }
        }
        Kind::Sea => AreaKind::Sea,
    };
    let validity = Validity {
        from: p.valid_from.map(Time::from),
        until: p.valid_until.map(Time::from),
    };
    if validity
        .from
        .zip(validity.until)
        .is_some_and(|(from, until)| until <= from)
    {
        return Err(BadAreaReason::NeverValid);
    }
    let geometry = feature
        .geometry
        .ok_or_else(|| BadAreaReason::NotPolygons("nothing".to_owned()))?;
    let polygons = read_polygons(&geometry.value)?;
    let (shape, fixes) = Shape::new(&polygons)?;
    let (id, name, precedence, market) = (p.id, p.name, p.precedence, p.market);
    Ok((
        ServiceArea {
            id,
            name,
            market,
            kind,
            precedence,
            validity,
            shape,
        },
        fixes,
    ))
}

fn read_polygons(value: &GeometryValue) -> Result<Vec<Vec<Vec<[f64; 2]>>>, BadAreaReason> {
    // A position without two numbers becomes one that is refused by its ring and vertex.
    let position = |p: &geojson::Position| match p.as_slice() {
        &[lon, lat, ..] => [lon, lat],
        _ => [f64::NAN; 2],
    };
    let rings = |polygon: &Vec<Vec<geojson::Position>>| -> Vec<Vec<[f64; 2]>> {
        polygon
            .iter()
            .map(|ring| ring.iter().map(position).collect())
            .collect()
    };
    match value {
        GeometryValue::Polygon { coordinates } => Ok(vec![rings(coordinates)]),
        GeometryValue::MultiPolygon { coordinates } => Ok(coordinates.iter().map(rings).collect()),
        other => Err(BadAreaReason::NotPolygons(other.type_name().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(features: &[(&str, &str)]) -> String {
        let features: Vec<String> = features
            .iter()
            .map(|(properties, coordinates)| {
                format!(
                    r#"{{"type":"Feature","properties":{{{properties}}},"geometry":{{"type":"Polygon","coordinates":{coordinates}}}}}"#
                )
            })
            .collect();
        format!(
            r#"{{"type":"FeatureCollection","features":[{}]}}"#,
            features.join(",")
        )
    }
    const SQUARE: &str = "[[[0,0],[1,0],[1,1],[0,1],[0,0]]]";
    const BOW: &str = "[[[0,0],[2,2],[2,0],[0,2],[0,0]]]";

    #[test]
    fn areas_are_read_with_their_times_and_limits() {
        let text = collection(&[
            (
                r#""id":1,"name":"Ukraine","kind":"allow_list","list":3,"market":"UA","valid_from":"2026-02-03T00:00:00Z""#,
                SQUARE,
            ),
            (
                r#""id":2,"name":"slow","kind":"speed_limit","max_speed_km_h":90,"precedence":5"#,
                SQUARE,
            ),
        ]);
        let areas = parse_areas(&text).unwrap();
        assert_eq!(
            areas[0].0.kind,
            AreaKind::AllowListRequired {
                list: ListId(3),
                pop: None
            }
        );
        let start: Time = "2026-02-03T00:00:00Z".parse::<Utc>().unwrap().into();
        assert!(
            areas[0].0.validity.contains(start)
                && !areas[0]
                    .0
                    .validity
                    .contains(Time::from_nanos(start.nanos() - 1))
        );
        assert_eq!(
            areas[1].0.kind,
            AreaKind::SpeedLimit {
                max_speed_m_s: 25.0,
                exempt: None
            }
        );
    }

    #[test]
    fn every_bad_feature_is_listed_and_nothing_is_taken() {
        let text = collection(&[
            (r#""id":1,"name":"good","kind":"allow""#, SQUARE),
            (r#""id":1,"name":"twin","kind":"allow""#, SQUARE),
            (r#""id":2,"name":"bow","kind":"deny""#, BOW),
            (r#""id":3,"name":"list","kind":"allow_list""#, SQUARE),
            (
                r#""id":4,"name":"never","kind":"sea","valid_from":"2026-01-01","valid_until":"2026-01-01""#,
                SQUARE,
            ),
            (
                r#""id":5,"name":"typo","kind":"allow","presedence":3"#,
                SQUARE,
            ),
            (
                r#""id":6,"name":"speed","kind":"speed_limit","max_speed_km_h":-1"#,
                SQUARE,
            ),
        ]);
        let bad = parse_areas(&text).unwrap_err();
        let reasons: Vec<String> = bad.iter().map(ToString::to_string).collect();
        assert_eq!(
            bad.iter().map(|b| b.feature).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(reasons[0], "feature 1: the id 1 stands twice");
        assert!(
            reasons[1].starts_with("feature 2: the outer ring of polygon 0 meets itself"),
            "{}",
            reasons[1]
        );
        assert_eq!(reasons[2], "feature 3: properties: missing field `list`");
        for text in [
            "",
            "{}",
            "[]",
            SQUARE,
            r#"{"type":"Point","coordinates":[1,2]}"#,
        ] {
            assert!(
                matches!(
                    parse_areas(text).unwrap_err()[0].reason,
                    BadAreaReason::NotGeoJson(_)
                ),
                "{text}"
            );
        }
        let point = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":1,"name":"p","kind":"sea"},"geometry":{"type":"Point","coordinates":[1,2]}}]}"#;
        assert!(matches!(
            parse_areas(point).unwrap_err()[0].reason,
            BadAreaReason::NotPolygons(_)
        ));
    }

    proptest::proptest! {
        /// A good text with any few bytes changed is read or refused.
        #[test]
        fn mutated_text_is_read_or_refused(
            changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0_u8..128), 0..6),
        ) {
            let properties = r#""id":1,"name":"n","kind":"speed_limit","max_speed_km_h":9e1,"valid_until":"2026-01-01""#;
            let mut bytes = collection(&[(properties, "[[[170,80],[-170,80],[-170,90],[170,90]]]")]).into_bytes();
            for (at, byte) in changes {
                let n = at.index(bytes.len());
                bytes[n] = byte;
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Err(bad) = parse_areas(&text) {
                proptest::prop_assert!(!bad.is_empty());
            }
        }
    }
}
