//! Scenes as files: written, read back, and broken.

use crate::binary::tetrad;

#[test]
fn a_scene_is_written_and_read_back_with_all_it_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = ["--format", "json"];
    let scene = ["robot", "scene"];
    let write = ["--task", "handover", "--seed", "3", "--to", "scene.xml"];
    let written = tetrad(folder.path(), &[&scene[..], &write, &json].concat());
    assert_eq!(written.code, 0, "{written:#?}");
    let read = tetrad(folder.path(), &[&scene[..], &["--from", "scene.xml"], &json].concat());
    assert_eq!(read.code, 0, "{read:#?}");
    let (written, read) = (written.json()["data"].clone(), read.json()["data"].clone());
    for what in ["bodies", "free", "joints", "servos", "shapes", "mass_kg", "robots"] {
        assert_eq!(written[what], read[what], "{what}");
    }
    // Two robots of two arms, each of seven joints and two fingers.
    assert_eq!((&read["robots"], &read["servos"]), (&2.into(), &36.into()), "{read}");
    let speed = read["fastest_m_per_s"].as_f64().expect("a speed");
    assert!(speed < 0.01, "a scene at rest: {read}");
}

#[test]
fn a_broken_scene_is_one_line_with_file_and_line_and_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "<mujoco>\n<worldbody>\n<body><joint type=\"screw\"/></body></worldbody></mujoco>";
    std::fs::write(folder.path().join("bad.xml"), text).expect("writable");
    let ran = tetrad(folder.path(), &["robot", "scene", "--from", "bad.xml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:#?}");
    assert!(ran.stderr.contains("bad.xml:3: no joint is of type `screw`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    for wrong in [&["--task", "juggle", "--to", "a.xml"][..], &["--from", "none.xml"], &[]] {
        let ran = tetrad(folder.path(), &[&["robot", "scene"], wrong].concat());
        assert_eq!(ran.code, 2, "{ran:#?}");
    }
}
