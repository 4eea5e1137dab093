//! Blocks follow the device that they name.

use edit::{Edit, House};

const MAPPING: &str = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";
const BLOCKS: &str =
    "# hall is loud\n[[block]]\ndevice = \"hall\"   # hall\nwhy = \"hall\"\n[[block]]\nid = 3\n";

#[test]
fn a_block_follows_its_device() {
    let house = House::from_texts([("mapping.toml", MAPPING), ("blocklist.toml", BLOCKS)]);
    let symbol = house.symbol("hall").expect("it is there");
    let to = "floor".to_owned();
    let change = house
        .edit(&Edit::Rename { symbol, to })
        .expect("it is free");
    let expected = BLOCKS.replace("device = \"hall\"", "device = \"floor\"");
    assert_eq!(change.text("blocklist.toml"), Some(&*expected));
    let read = mapping::blocklist::parse("blocklist.toml", &expected);
    assert_eq!(read.blocks.map(|blocks| blocks.len()), Some(2));
}

#[test]
fn a_blocklist_that_can_t_be_read_keeps_its_device_s_name() {
    let broken = format!("{BLOCKS}x = \n");
    let house = House::from_texts([("mapping.toml", MAPPING), ("blocklist.toml", &broken)]);
    let symbol = house.symbol("hall").expect("it is there");
    let to = "floor".to_owned();
    let refused = house.edit(&Edit::Rename { symbol, to });
    assert_eq!(
        refused.map(drop),
        Err(edit::Refusal::Unreadable("blocklist.toml".to_owned()))
    );
}
