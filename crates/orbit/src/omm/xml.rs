//! OMM as XML: each `omm` element is a message, and each element without children inside it a keyword.

use super::{LineCounter, Record, entries};
use crate::elements::{Elements, ElementsError, Format, without_bom};
use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    let text = without_bom(text);
    let mut reader = Reader::from_str(text);
    let mut lines = LineCounter::new(text);
    let mut out = Vec::new();
    let mut record: Option<Record> = None;
    // The innermost open element, until a child or its end comes.
    let mut leaf: Option<(String, String)> = None;
    loop {
        let event = reader.read_event().map_err(|e| ElementsError::Syntax {
            line: lines.line_of(reader.error_position() as usize),
            format: Format::OmmXml,
            reason: e.to_string(),
        })?;
        let line = lines.line_of(reader.buffer_position() as usize);
        let unresolved = |reason: String| ElementsError::Syntax {
            line,
            format: Format::OmmXml,
            reason,
        };
        match event {
            Event::Start(tag) => {
                let name = tag.local_name().as_ref().to_owned();
                if name == "omm" {
                    record = Some(Record::starting_at(line));
                }
                leaf = Some((name, String::new()));
            }
            Event::Text(piece) => {
                if let Some((_, value)) = &mut leaf {
                    value.push_str(&piece.xml10_content());
                }
            }
            Event::CData(piece) => {
                if let Some((_, value)) = &mut leaf {
                    value.push_str(&piece.xml10_content());
                }
            }
            Event::GeneralRef(entity) => {
                if let Some((_, value)) = &mut leaf {
                    match entity
                        .resolve_char_ref()
                        .map_err(|e| unresolved(e.to_string()))?
                    {
                        Some(character) => value.push(character),
                        None => {
                            value.push_str(resolve_predefined_entity(&entity).ok_or_else(|| {
                                unresolved(format!(
                                    "the entity `{}` is not known",
                                    crate::elements::quoted(&entity)
                                ))
                            })?)
                        }
                    }
                }
            }
            Event::End(tag) => {
                if tag.local_name().as_ref() == "omm" {
                    out.extend(record.take().map(|record| record.elements()).transpose()?);
                } else if let (Some(record), Some((keyword, value))) = (&mut record, leaf.take()) {
                    record.push(keyword, value, line);
                }
                leaf = None;
            }
            Event::Eof if record.is_some() => {
                return Err(unresolved("the text ends inside an omm element".to_owned()));
            }
            Event::Eof => return Ok(out),
            Event::Empty(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
}

pub(crate) fn write(elements: &[Elements]) -> Result<String, ElementsError> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ndm>\n");
    for e in elements {
        let entries = entries(e)?;
        let element = |keyword: &str| {
            let value = entries
                .iter()
                .find(|entry| entry.keyword == keyword)
                .map_or("", |entry| &entry.value);
            format!("<{keyword}>{}</{keyword}>", escape(value))
        };
        let group = |keywords: &[&str]| {
            keywords
                .iter()
                .map(|keyword| element(keyword))
                .collect::<String>()
        };
        out.push_str(&format!(
            "<omm id=\"CCSDS_OMM_VERS\" version=\"2.0\"><header><ORIGINATOR>skyweave</ORIGINATOR></header><body><segment>\
             <metadata>{}<CENTER_NAME>EARTH</CENTER_NAME><REF_FRAME>TEME</REF_FRAME><TIME_SYSTEM>UTC</TIME_SYSTEM>\
             <MEAN_ELEMENT_THEORY>SGP4</MEAN_ELEMENT_THEORY></metadata><data><meanElements>{}</meanElements>\
             <tleParameters>{}</tleParameters></data></segment></body></omm>\n",
            group(&["OBJECT_NAME", "OBJECT_ID"]),
            group(&["EPOCH", "MEAN_MOTION", "ECCENTRICITY", "INCLINATION", "RA_OF_ASC_NODE", "ARG_OF_PERICENTER", "MEAN_ANOMALY"]),
            group(&[
                "EPHEMERIS_TYPE", "CLASSIFICATION_TYPE", "NORAD_CAT_ID", "ELEMENT_SET_NO", "REV_AT_EPOCH", "BSTAR",
                "MEAN_MOTION_DOT", "MEAN_MOTION_DDOT",
            ]),
        ));
    }
    out.push_str("</ndm>\n");
    Ok(out)
}
