//! Reading and writing of element sets: published shapes, errors, round trips, and bytes of any kind.

mod common;

use common::snapshot;
use core::f64::consts::{PI, TAU};
use proptest::prelude::*;
use skyweave_base::Utc;
use skyweave_orbit::{Elements, ElementsError, Format, parse, parse_tle_unchecked, write};

const FORMATS: [Format; 5] = [
    Format::Tle,
    Format::OmmJson,
    Format::OmmCsv,
    Format::OmmXml,
    Format::OmmKvn,
];

const ISS: &str = "ISS (ZARYA)\n\
    1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
    2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n";

/// The shapes in which CelesTrak serves the same elements, with a catalogue number of six digits.
const JSON: &str = r#"[{"OBJECT_NAME":"ISS (ZARYA)","OBJECT_ID":"1998-067A","EPOCH":"2020-07-12T21:16:01.000416",
"MEAN_MOTION":15.49507896,"ECCENTRICITY":0.0001413,"INCLINATION":51.6461,"RA_OF_ASC_NODE":221.2784,
"ARG_OF_PERICENTER":89.1723,"MEAN_ANOMALY":280.4612,"EPHEMERIS_TYPE":0,"CLASSIFICATION_TYPE":"U","NORAD_CAT_ID":725544,
"ELEMENT_SET_NO":999,"REV_AT_EPOCH":23600,"BSTAR":-3.1515e-5,"MEAN_MOTION_DOT":-2.218e-5,"MEAN_MOTION_DDOT":0}]"#;
const CSV: &str = "OBJECT_NAME,OBJECT_ID,EPOCH,MEAN_MOTION,ECCENTRICITY,INCLINATION,RA_OF_ASC_NODE,ARG_OF_PERICENTER,\
    MEAN_ANOMALY,EPHEMERIS_TYPE,CLASSIFICATION_TYPE,NORAD_CAT_ID,ELEMENT_SET_NO,REV_AT_EPOCH,BSTAR,MEAN_MOTION_DOT,\
    MEAN_MOTION_DDOT\r\n\
    ISS (ZARYA),1998-067A,2020-07-12T21:16:01.000416,15.49507896,.0001413,51.6461,221.2784,89.1723,280.4612,0,U,725544,\
    999,23600,-.31515E-4,-.2218E-4,0\r\n";
const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ndm xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="ndmxml-3.0.0-master-3.0.xsd">
<omm id="CCSDS_OMM_VERS" version="3.0"><header><CREATION_DATE/><ORIGINATOR/></header><body><segment>
<metadata><OBJECT_NAME>ISS (ZARYA)</OBJECT_NAME><OBJECT_ID>1998-067A</OBJECT_ID><CENTER_NAME>EARTH</CENTER_NAME>
<REF_FRAME>TEME</REF_FRAME><TIME_SYSTEM>UTC</TIME_SYSTEM><MEAN_ELEMENT_THEORY>SGP4</MEAN_ELEMENT_THEORY></metadata>
<data><meanElements><EPOCH>2020-07-12T21:16:01.000416</EPOCH><MEAN_MOTION>15.49507896</MEAN_MOTION>
<ECCENTRICITY>.0001413</ECCENTRICITY><INCLINATION>51.6461</INCLINATION><RA_OF_ASC_NODE>221.2784</RA_OF_ASC_NODE>
<ARG_OF_PERICENTER>89.1723</ARG_OF_PERICENTER><MEAN_ANOMALY>280.4612</MEAN_ANOMALY></meanElements>
<tleParameters><EPHEMERIS_TYPE>0</EPHEMERIS_TYPE><CLASSIFICATION_TYPE>U</CLASSIFICATION_TYPE>
<NORAD_CAT_ID>725544</NORAD_CAT_ID><ELEMENT_SET_NO>999</ELEMENT_SET_NO><REV_AT_EPOCH>23600</REV_AT_EPOCH>
<BSTAR>-.31515E-4</BSTAR><MEAN_MOTION_DOT>-.2218E-4</MEAN_MOTION_DOT><MEAN_MOTION_DDOT>0</MEAN_MOTION_DDOT>
</tleParameters></data></segment></body></omm></ndm>
"#;
const KVN: &str = "CCSDS_OMM_VERS = 3.0\nCREATION_DATE = \nORIGINATOR = \n\n\
    OBJECT_NAME = ISS (ZARYA)\nOBJECT_ID = 1998-067A\nCENTER_NAME = EARTH\nREF_FRAME = TEME\nTIME_SYSTEM = UTC\n\
    MEAN_ELEMENT_THEORY = SGP4\nCOMMENT GENERATED\nEPOCH = 2020-194T21:16:01.000416\nMEAN_MOTION = 15.49507896 [rev/day]\n\
    ECCENTRICITY = .0001413\nINCLINATION = 51.6461 [deg]\nRA_OF_ASC_NODE = 221.2784\nARG_OF_PERICENTER = 89.1723\n\
    MEAN_ANOMALY = 280.4612\nEPHEMERIS_TYPE = 0\nCLASSIFICATION_TYPE = U\nNORAD_CAT_ID = 725544\nELEMENT_SET_NO = 999\n\
    REV_AT_EPOCH = 23600\nBSTAR = -.31515E-4\nMEAN_MOTION_DOT = -.2218E-4\nMEAN_MOTION_DDOT = 0\n";

fn sample(format: Format) -> &'static str {
    match format {
        Format::Tle => ISS,
        Format::OmmJson => JSON,
        Format::OmmCsv => CSV,
        Format::OmmXml => XML,
        Format::OmmKvn => KVN,
    }
}

#[test]
fn published_shapes_say_the_same() {
    let from_tle = parse(ISS, Format::Tle).unwrap();
    let expected = Elements {
        catalog_number: 725_544,
        ..from_tle[0].clone()
    };
    for format in FORMATS {
        assert_eq!(Format::detect(sample(format)), Some(format));
        assert_eq!(
            Format::detect(&format!("\u{feff}{}", sample(format))),
            Some(format)
        );
    }
    for format in &FORMATS[1..] {
        let parsed = parse(sample(*format), *format).unwrap();
        assert_eq!(parsed, std::slice::from_ref(&expected), "{format}");
    }
    // Space-Track quotes its numbers.
    let quoted = JSON
        .replace("725544", "\"725544\"")
        .replace("15.49507896", "\"15.49507896\"")
        .replace(":0,", ":null,");
    assert_eq!(parse(&quoted, Format::OmmJson).unwrap()[0], expected);
    assert_eq!(
        parse(JSON.trim_matches(['[', ']']), Format::OmmJson).unwrap()[0],
        expected
    );
    assert_eq!(
        parse(&format!("{KVN}\n{KVN}"), Format::OmmKvn)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(Format::detect("hello"), None);
}

#[test]
fn tle_dressings() {
    let bare = ISS.split_once('\n').unwrap().1;
    let one = parse(bare, Format::Tle).unwrap();
    assert_eq!(one[0].name, "");
    let dressed = format!(
        "34 22\r\n# comment\r\n\r\n0 {}",
        ISS.replace('\n', "  \r\n")
    );
    let two = parse(&dressed, Format::Tle).unwrap();
    assert_eq!((two[0].name.as_str(), two.len()), ("ISS (ZARYA)", 1));
    assert_eq!(
        Elements {
            name: String::new(),
            ..two[0].clone()
        },
        one[0]
    );
    // Names may look like anything.
    let names = [
        "1 HOPEFUL",
        "2 FAST",
        "0",
        "34 22",
        "# 5",
        "0 ZERO",
        "\u{feff} MARKED",
    ];
    for name in names {
        let named = [Elements {
            name: name.to_owned(),
            ..one[0].clone()
        }];
        assert_eq!(
            parse(&write(&named, Format::Tle).unwrap(), Format::Tle).unwrap(),
            named
        );
    }
    assert_eq!(parse("", Format::Tle).unwrap(), []);
}

#[test]
fn alpha_5() {
    for (text, number) in [
        ("A0000", 100_000),
        ("E8493", 148_493),
        ("J2931", 182_931),
        ("P4018", 234_018),
        ("Z9999", 339_999),
    ] {
        let elements = parse_tle_unchecked(&ISS.replace("25544", text)).unwrap();
        assert_eq!(elements[0].catalog_number, number);
        assert!(
            write(&elements, Format::Tle)
                .unwrap()
                .contains(&format!("\n1 {text}U "))
        );
    }
    for text in ["I0000", "O0000", "a0000", "AA000", "1A000"] {
        let error = parse_tle_unchecked(&ISS.replace("25544", text)).unwrap_err();
        assert!(
            matches!(
                error,
                ElementsError::Field {
                    line: 2,
                    field: "NORAD_CAT_ID",
                    ..
                }
            ),
            "{error}"
        );
    }
    let too_large = [Elements {
        catalog_number: 340_000,
        ..parse(ISS, Format::Tle).unwrap().remove(0)
    }];
    assert!(matches!(
        write(&too_large, Format::Tle),
        Err(ElementsError::NotWritable {
            field: "NORAD_CAT_ID",
            ..
        })
    ));
}

#[test]
fn years_turn_in_1957() {
    let year = |yy: &str| {
        parse_tle_unchecked(&ISS.replace("  20194.", &format!("  {yy}194."))).unwrap()[0]
            .epoch
            .date()
            .0
    };
    assert_eq!(
        (year("57"), year("99"), year("00"), year("56")),
        (1957, 1999, 2000, 2056)
    );
}

/// What a person reads: line, field, expected, found and advice.
#[test]
fn errors_of_tle() {
    let message = |from: &str, to: &str| {
        parse(&ISS.replace(from, to), Format::Tle)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message("51.6461", "51.6471"),
        "line 3: checksum: expected 9, found `8`; a character of the line was changed or lost"
    );
    assert_eq!(
        message("  9992", " 9992"),
        "line 2: expected 69 ASCII characters, found `1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0 9992`; \
         the columns of a TLE are fixed, so blanks may not be removed"
    );
    assert_eq!(
        message("2 25544", "STARLINK\n2 25544"),
        "line 3: expected line 2 of the element set, found `STARLINK`; each line 1 is followed at once by its line 2"
    );
    assert_eq!(
        message(
            "2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n",
            ""
        ),
        "line 3: expected line 2 of the element set, found `the end of the text`; each line 1 is followed at once by its line 2"
    );
    let fields = [
        ("20194.88612269", "20367.88612269", 2, "EPOCH"),
        ("20194.88612269", "20000.88612269", 2, "EPOCH"),
        ("-.00002218", "-.0000x218", 2, "MEAN_MOTION_DOT"),
        ("-31515-4", "-315154 ", 2, "BSTAR"),
        (" 51.6461", "181.0000", 3, "INCLINATION"),
        ("221.2784", "361.2784", 3, "RA_OF_ASC_NODE"),
        ("221.2784", "     nan", 3, "RA_OF_ASC_NODE"),
        ("0001413", "000 413", 3, "ECCENTRICITY"),
        ("0001413", " 001413", 3, "ECCENTRICITY"),
        (" 89.1723", "        ", 3, "ARG_OF_PERICENTER"),
        ("280.4612", "28O.4612", 3, "MEAN_ANOMALY"),
        ("15.49507896", "00.00000000", 3, "MEAN_MOTION"),
        ("15.49507896", " 1.5e1     ", 3, "MEAN_MOTION"),
    ];
    for (from, to, at, name) in fields {
        match parse_tle_unchecked(&ISS.replace(from, to)) {
            Err(ElementsError::Field { line, field, .. }) => assert_eq!((line, field), (at, name)),
            other => panic!("{to}: {other:?}"),
        }
    }
    let other = ISS
        .replace("2 25544", "2 25545")
        .replace("236008", "236009");
    assert!(
        parse(&other, Format::Tle)
            .unwrap_err()
            .to_string()
            .contains("the two lines belong to different satellites")
    );
    assert!(parse_tle_unchecked(&other).is_ok());
    assert!(matches!(
        parse("hello\n", Format::Tle),
        Err(ElementsError::Line { line: 1, .. })
    ));
    assert!(matches!(
        parse(&ISS.replace("98067A", "98067é"), Format::Tle),
        Err(ElementsError::Line { line: 2, .. })
    ));
}

#[test]
fn errors_of_omm_name_line_and_field() {
    let at = |format: Format, from: &str, to: &str| {
        let text = sample(format).replace(from, to);
        assert_ne!(text, sample(format));
        match parse(&text, format) {
            Err(
                ElementsError::Field { line, field, .. } | ElementsError::Missing { line, field },
            ) => (line, field),
            other => panic!("{format}: {other:?}"),
        }
    };
    assert_eq!(
        at(Format::OmmJson, "51.6461", "\"fifty\""),
        (2, "INCLINATION")
    );
    assert_eq!(at(Format::OmmJson, "725544", "-5"), (3, "NORAD_CAT_ID"));
    assert_eq!(
        at(Format::OmmJson, "\"BSTAR\":-3.1515e-5,", ""),
        (1, "BSTAR")
    );
    assert_eq!(at(Format::OmmCsv, "221.2784", "1e9"), (2, "RA_OF_ASC_NODE"));
    assert_eq!(at(Format::OmmXml, ".0001413", "1.0"), (7, "ECCENTRICITY"));
    assert_eq!(at(Format::OmmXml, ">TEME<", ">GCRF<"), (5, "REF_FRAME"));
    assert_eq!(
        at(Format::OmmKvn, "= SGP4", "= SGP4-XP"),
        (10, "MEAN_ELEMENT_THEORY")
    );
    assert_eq!(at(Format::OmmKvn, "2020-194T", "2020-367T"), (12, "EPOCH"));
    assert_eq!(
        at(Format::OmmKvn, "15.49507896", "inf"),
        (13, "MEAN_MOTION")
    );
    let syntax = |format: Format, text: &str, line: usize| match parse(text, format) {
        Err(
            ElementsError::Syntax { line: found, .. } | ElementsError::Line { line: found, .. },
        ) => assert_eq!(found, line),
        other => panic!("{format}: {other:?}"),
    };
    syntax(Format::OmmJson, &JSON.replace("}]", ""), 4);
    syntax(Format::OmmJson, &JSON.replace("\"BSTAR\":", "\"BSTAR\""), 4);
    syntax(Format::OmmCsv, &format!("{CSV}1,2,3\r\n"), 3);
    syntax(
        Format::OmmXml,
        &XML.replace("</INCLINATION>", "</ECCENTRICITY>"),
        7,
    );
    syntax(Format::OmmXml, XML.split_once("</omm>").unwrap().0, 12);
    syntax(Format::OmmXml, &XML.replace("(ZARYA)", "&zarya;"), 4);
    syntax(Format::OmmKvn, &KVN.replace("BSTAR =", "BSTAR"), 24);
}

#[test]
fn xml_entities_are_resolved() {
    let named = XML.replace("ISS (ZARYA)", "A &amp; B &#x26; <![CDATA[<C>]]>");
    assert_eq!(
        parse(&named, Format::OmmXml).unwrap()[0].name,
        "A & B & <C>"
    );
}

/// Elements with more digits than a TLE has.
fn elements() -> impl Strategy<Value = Elements> {
    // 1957 to 2056.
    let epoch =
        (-409_968_000_000_000_000_i64..2_745_000_000_000_000_000).prop_map(Utc::from_unix_nanos);
    let drag = prop_oneof![
        Just(0.0),
        -0.9..0.9_f64,
        (1e-9..1e-4_f64),
        (-1e-3..-1e-7_f64)
    ];
    let names = (
        "[!-~]{0,10}( [ -~é-ž&<>,\"']{0,8}[!-~])?",
        "(19[6-9][0-9]|20[0-4][0-9])-[0-9]{3}[A-Z]{1,3}",
        0..340_000_u32,
    );
    let shape = (0.001..99.9_f64, 0.0..0.9999999_f64, 0.0..=PI);
    let angles = (0.0..TAU, 0.0..TAU, 0.0..TAU);
    let rest = (
        drag.clone(),
        -0.99..0.99_f64,
        drag,
        0..10_u8,
        0..10_000_u32,
        0..100_000_u32,
    );
    (names, epoch, shape, angles, rest).prop_map(|(names, epoch, shape, angles, rest)| Elements {
        name: names.0.trim().to_owned(),
        international_designator: names.1,
        catalog_number: names.2,
        classification: 'U',
        epoch,
        mean_motion_rev_day: shape.0,
        eccentricity: shape.1,
        inclination_rad: shape.2,
        raan_rad: angles.0,
        argument_of_perigee_rad: angles.1,
        mean_anomaly_rad: angles.2,
        bstar: rest.0,
        mean_motion_dot: rest.1,
        mean_motion_ddot: rest.2,
        ephemeris_type: rest.3,
        element_set_number: rest.4,
        revolution_number: rest.5,
    })
}

/// The text of a TLE with any digits in its columns, as a careful writer makes it.
fn tle_text() -> impl Strategy<Value = String> {
    let exponential = prop_oneof![
        Just(" 00000+0".to_owned()),
        ("[ -]", 10_000..100_000_u32, "(\\+0|[+-][1-9])")
            .prop_map(|(s, m, e)| format!("{s}{m}{e}")),
    ];
    let line_1 = (
        "([0-9]|[A-HJ-NP-Z])[0-9]{4}",
        "[UCS]",
        "[0-9]{5}[A-Z]([A-Z][A-Z ]| {2})",
        ("[0-9]{2}", 1..366_u32, 0..100_000_000_u32),
        ("[ -]", 1..100_000_000_u32),
        (exponential.clone(), exponential),
        0..10_000_u32,
    );
    let angle =
        |most_deg: u32| (0..=most_deg * 10_000).prop_map(|n| format!("{:8.4}", f64::from(n) / 1e4));
    let line_2 = (
        angle(180),
        [angle(359), angle(359), angle(359)],
        0..10_000_000_u32,
        1..10_000_000_000_u64,
        0..100_000_u32,
    );
    let with_checksum = |line: String| {
        let value = |b: u8| match b {
            b'0'..=b'9' => u32::from(b - b'0'),
            _ => u32::from(b == b'-'),
        };
        let sum: u32 = line.bytes().map(value).sum();
        format!("{line}{}\n", sum % 10)
    };
    ("([A-Z][A-Z0-9 ()-]{0,22}[A-Z0-9)])?", line_1, line_2).prop_map(move |(name, line_1, line_2)| {
        let (number, class, designator, (year, day, fraction), (sign, dot), (ddot, bstar), set) = line_1;
        let (inclination, [node, perigee, anomaly], eccentricity, motion, revolution) = line_2;
        let name = if name.is_empty() { name } else { format!("{name}\n") };
        let motion = format!("{:2}.{:08}", motion / 100_000_000, motion % 100_000_000);
        let line_1 = with_checksum(format!(
            "1 {number}{class} {designator} {year}{day:03}.{fraction:08} {sign}.{dot:08} {ddot} {bstar} 0 {set:>4}"
        ));
        let line_2 = with_checksum(format!(
            "2 {number} {inclination} {node} {eccentricity:07} {perigee} {anomaly} {motion}{revolution:>5}"
        ));
        format!("{name}{line_1}{line_2}")
    })
}

/// The numbers of an OMM as people write them: decimals, up to nine of them.
fn omm_text() -> impl Strategy<Value = String> {
    let angle = |most_deg: f64| {
        (0.0..most_deg, 0..10_usize).prop_map(|(x, places)| format!("{x:.places$}"))
    };
    let numbers = (0.1..20.0_f64, 0.0..0.9_f64, -1e-2..1e-2_f64, 0..10_usize);
    (
        angle(180.0),
        [angle(359.0), angle(359.0), angle(359.0)],
        numbers,
    )
        .prop_map(
            |(inclination, [node, perigee, anomaly], (motion, eccentricity, bstar, places))| {
                let replaced = [
                    ("15.49507896 [rev/day]", format!("{motion:.*}", places + 1)),
                    (".0001413", format!("{eccentricity:.*}", places + 1)),
                    ("51.6461 [deg]", inclination),
                    ("221.2784", node),
                    ("89.1723", perigee),
                    ("280.4612", anomaly),
                    ("-.31515E-4", format!("{bstar:.places$e}")),
                ];
                replaced.iter().fold(KVN.to_owned(), |text, (from, to)| {
                    text.replacen(from, to, 1)
                })
            },
        )
}

/// 1e-12 degrees that are written, and two conversions.
const OMM_ANGLE_RAD: f64 = 2e-14;

/// A text as a damaged file or a hostile hand makes it: pieces cut, doubled, and bytes replaced.
fn damaged(text: &str, damage: &[(prop::sample::Index, prop::sample::Index, u8, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, to, byte, kind) in damage {
        if bytes.is_empty() {
            break;
        }
        let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
        let piece = at.min(to)..at.max(to).min(at.min(to) + 80);
        match kind % 5 {
            0 => bytes[at] = *byte,
            1 => drop(bytes.drain(piece)),
            2 => bytes.insert(at, *byte),
            3 => bytes[at] = b"0123456789.-+eE \"'<>{}[],=&;\n\r\tAZ"[usize::from(*byte) % 33],
            _ => {
                let copy = bytes[piece].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whatever is read can be written and read again, and does not change any more after the first time.
fn read_write_read(text: &str, format: Format) {
    let Ok(elements) = parse(text, format) else {
        return;
    };
    let Ok(first) = write(&elements, format) else {
        return;
    };
    let again = parse(&first, format).unwrap_or_else(|error| panic!("{error}\n{first}"));
    assert_eq!(again.len(), elements.len());
    assert_eq!(write(&again, format).unwrap(), first);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tle_round_trips(elements in prop::collection::vec(elements(), 1..4)) {
        let text = write(&elements, Format::Tle).unwrap();
        for line in text.lines().filter(|line| line.starts_with("1 ") || line.starts_with("2 ")) {
            prop_assert_eq!(line.len(), 69);
        }
        let rounded: Vec<Elements> = elements.iter().map(Elements::round_like_tle).collect();
        prop_assert_eq!(parse(&text, Format::Tle).unwrap(), rounded);
    }

    #[test]
    fn omm_round_trips(elements in prop::collection::vec(elements(), 1..4), format in 1..5_usize) {
        let format = FORMATS[format];
        let back = parse(&write(&elements, format).unwrap(), format).unwrap();
        prop_assert_eq!(back.len(), elements.len());
        for (back, e) in back.iter().zip(&elements) {
            let angles = |e: &Elements| [e.inclination_rad, e.raan_rad, e.argument_of_perigee_rad, e.mean_anomaly_rad];
            for (back, e) in angles(back).iter().zip(angles(e)) {
                prop_assert!((back - e).abs() < OMM_ANGLE_RAD);
            }
            let [inclination_rad, raan_rad, argument_of_perigee_rad, mean_anomaly_rad] = angles(e);
            let same = Elements { inclination_rad, raan_rad, argument_of_perigee_rad, mean_anomaly_rad, ..back.clone() };
            prop_assert_eq!(&same, e);
        }
    }

    #[test]
    fn tle_texts_round_trip_byte_for_byte(texts in prop::collection::vec(tle_text(), 1..4)) {
        let text = texts.concat();
        let elements = parse(&text, Format::Tle).unwrap();
        prop_assert_eq!(write(&elements, Format::Tle).unwrap(), text);
    }

    /// Numbers of up to nine decimals are the same after any OMM layout, bit for bit, and then so is the text.
    #[test]
    fn omm_texts_round_trip_bit_for_bit(text in omm_text(), format in 1..5_usize) {
        let format = FORMATS[format];
        let elements = parse(&text, Format::OmmKvn).unwrap();
        let written = write(&elements, format).unwrap();
        let back = parse(&written, format).unwrap();
        prop_assert_eq!(&back, &elements);
        prop_assert_eq!(write(&back, format).unwrap(), written);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), format in 0..5_usize) {
        let text = String::from_utf8_lossy(&bytes);
        read_write_read(&text, FORMATS[format]);
        let _ = (Format::detect(&text), parse_tle_unchecked(&text));
    }

    #[test]
    fn damaged_texts_are_read_or_refused(
        damage in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index, u8, u8)>(), 1..6),
        format in 0..5_usize,
    ) {
        let format = FORMATS[format];
        let text = damaged(sample(format), &damage);
        read_write_read(&text, format);
        let _ = Format::detect(&text);
        if let Ok(elements) = parse_tle_unchecked(&text) {
            let _ = write(&elements, Format::Tle);
        }
    }
}

/// Whatever is read can be propagated or is refused, at any time: no panic, no endless search.
#[test]
fn damaged_elements_propagate_or_fail() {
    let text = snapshot();
    let lines: Vec<&str> = text.lines().take(300).collect();
    for (i, record) in lines.chunks(3).enumerate() {
        // One digit of line 2 is changed, another one in each element set.
        let mut bytes = record[2].as_bytes().to_vec();
        let column = 8 + i % 55;
        if bytes[column].is_ascii_digit() {
            bytes[column] = b'9';
        }
        let text = format!(
            "{}\n{}\n{}\n",
            record[0],
            record[1],
            String::from_utf8(bytes).unwrap()
        );
        for e in parse_tle_unchecked(&text).into_iter().flatten() {
            if let Ok(propagator) = skyweave_orbit::Propagator::new(&e) {
                for nanos in [i64::MIN, -1, 0, 86_400_000_000_000, i64::MAX] {
                    let _ = propagator.teme(skyweave_base::Time::from_nanos(nanos));
                }
            }
        }
    }
}
