use std::collections::BTreeMap;

use ffleet_protocol::{
    job::{Need, Requirements},
    template::Variable,
    worker::{Capabilities, Mount, Program},
};

use crate::domain::{need_from_key, need_key, unfit};

fn need() -> Need {
    Need {
        program: "ffmpeg".to_owned(),
        variables: ["Media", "Out"].map(|name| Variable::new(name).unwrap()).into(),
        requirements: Requirements {
            tags: ["fast".to_owned()].into(),
            encoders: ["h264_nvenc".to_owned()].into(),
            device: Some("cuda".to_owned()),
        },
    }
}

fn able() -> Capabilities {
    let mount = || Mount { writable: true, free_bytes: None };
    Capabilities {
        slots: 1,
        programs: BTreeMap::from([("ffmpeg".to_owned(), Program { version: "7.1".to_owned() })]),
        variables: ["Media", "Out", "More"].map(|name| (Variable::new(name).unwrap(), mount())).into(),
        tags: ["fast".to_owned(), "near".to_owned()].into(),
        encoders: ["h264_nvenc".to_owned()].into(),
        devices: ["cuda".to_owned()].into(),
        problems: Vec::new(),
    }
}

#[test]
fn the_first_thing_that_is_missing_is_the_reason() {
    assert_eq!(unfit(&need(), &able()), None);
    let mut caps = able();
    caps.devices.clear();
    assert_eq!(unfit(&need(), &caps).unwrap(), "it has no working cuda device");
    caps.encoders.clear();
    assert_eq!(unfit(&need(), &caps).unwrap(), "the encoder h264_nvenc does not work there");
    caps.tags.clear();
    assert_eq!(unfit(&need(), &caps).unwrap(), "it does not carry the tag \"fast\"");
    caps.variables.remove(&Variable::new("Out").unwrap());
    assert_eq!(unfit(&need(), &caps).unwrap(), "it has no path variable $Out");
    caps.programs.clear();
    assert_eq!(unfit(&need(), &caps).unwrap(), "it has no program \"ffmpeg\"");
}

#[test]
fn a_need_for_nothing_but_a_program_is_met_by_the_program() {
    let plain = Need { variables: [].into(), requirements: Requirements::default(), ..need() };
    let caps = Capabilities { programs: able().programs, ..Capabilities::default() };
    assert_eq!(unfit(&plain, &caps), None);
}

#[test]
fn equal_needs_have_one_key() {
    assert_eq!(
        need_key(&need()),
        r#"{"program":"ffmpeg","variables":["Media","Out"],"tags":["fast"],"encoders":["h264_nvenc"],"device":"cuda"}"#
    );
    let mut backwards = need();
    backwards.variables = need().variables.into_iter().rev().collect();
    assert_eq!(need_key(&backwards), need_key(&need()));
    let other = Need { program: "ffprobe".to_owned(), ..need() };
    assert_ne!(need_key(&other), need_key(&need()));
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let plain = Need { variables: [].into(), requirements: Requirements::default(), ..need() };
    for need in [need(), plain] {
        assert_eq!(need_from_key(&need_key(&need)).unwrap(), need);
    }
    assert!(need_from_key("{}").is_none());
}

#[test]
fn a_need_that_asks_for_more_than_we_know_is_left_to_whoever_does() {
    let key = need_key(&need());
    for more in [r#""memory":4000}"#, r#""memory":null}"#] {
        assert_eq!(need_from_key(&key.replace('}', &format!(",{more}"))), None, "{more}");
    }
}
