//! One device of a fleet, computed from seed and index.
//!
//! Filters and records read the same functions, so a filter never disagrees with what the record shows. A function that returns `None` is about a member that the record does not have.

use jiff::Timestamp;

use crate::{account::Account, clock::Clock, random::Seed};

/// A device. It costs nothing to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device<'a> {
    pub(crate) account: &'a Account,
    pub(crate) clock: Clock,
    pub(crate) index: u32,
    pub(crate) quirk: Option<Quirk>,
    seed: Seed,
}

/// A way in which a record is sparse or odd. Real ones are, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    OnlyId,
    Sparse,
    UnknownMembers,
    UnknownEnums,
    StringBooleans,
    StringNumbers,
    ZonelessTimes,
    OddTime,
    NullMembers,
    NullItems,
    UpperCaseId,
    LongId,
}

const QUIRKS: &[Quirk] = &[
    Quirk::OnlyId,
    Quirk::Sparse,
    Quirk::UnknownMembers,
    Quirk::UnknownEnums,
    Quirk::StringBooleans,
    Quirk::StringNumbers,
    Quirk::ZonelessTimes,
    Quirk::OddTime,
    Quirk::NullMembers,
    Quirk::NullItems,
    Quirk::UpperCaseId,
    Quirk::LongId,
];

/// One device in so many is odd.
const QUIRK_EVERY: u32 = 19;

impl<'a> Device<'a> {
    pub(crate) fn new(account: &'a Account, clock: Clock, index: u32) -> Self {
        let seed = account.seed.child("device", 0);
        let mut device = Self {
            account,
            clock,
            index,
            quirk: None,
            seed,
        };
        if account.odd_records {
            device.quirk = device.choose_quirk();
        }
        device
    }

    fn choose_quirk(&self) -> Option<Quirk> {
        // The first devices stay ordinary: they are the ones people look at.
        let shift = self.seed.below(u32::MAX, 0, QUIRK_EVERY - 5) + 5;
        let place = self.index.checked_sub(shift)?;
        let round = (place / QUIRK_EVERY) as usize;
        (place % QUIRK_EVERY == 0).then(|| QUIRKS[round % QUIRKS.len()])
    }

    /// Finds the device of an id, compared without case.
    pub(crate) fn find(account: &'a Account, clock: Clock, id: &str) -> Option<Self> {
        let index = account.seed.child("device", 0).index_of(id)?;
        (index < account.endpoints)
            .then(|| Self::new(account, clock, index))
            .filter(|device| device.id().eq_ignore_ascii_case(id))
    }

    pub(crate) fn id(&self) -> String {
        match self.quirk {
            Some(Quirk::UpperCaseId) => self.seed.uuid(self.index).to_uppercase(),
            Some(Quirk::LongId) => self.seed.hex_id(self.index),
            _ => self.seed.uuid(self.index),
        }
    }

    fn is(&self, quirk: Quirk) -> bool {
        self.quirk == Some(quirk)
    }

    /// Whether the record has more than its first four members.
    pub(crate) fn is_rich(&self) -> bool {
        !matches!(self.quirk, Some(Quirk::OnlyId | Quirk::Sparse))
    }

    /// Whether the record has the members that are null in an odd one.
    fn has_optional(&self) -> bool {
        self.is_rich() && !self.is(Quirk::NullMembers)
    }

    fn below(&self, purpose: u32, bound: u32) -> u32 {
        self.seed.below(self.index, purpose, bound)
    }

    fn pick<T: Copy>(&self, purpose: u32, choices: &[T]) -> T {
        self.seed.pick(self.index, purpose, choices)
    }

    pub(crate) fn is_server(&self) -> bool {
        self.below(KIND, 100) < 22
    }

    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self.quirk {
            Some(Quirk::OnlyId) => None,
            Some(Quirk::UnknownEnums) => Some("thinClient"),
            _ if self.is_server() => Some("server"),
            _ => Some("computer"),
        }
    }

    pub(crate) fn platform(&self) -> Platform {
        match (self.is_server(), self.below(PLATFORM, 100)) {
            (true, 0..70) | (false, 0..72) => Platform::Windows,
            (true, _) | (false, 95..) => Platform::Linux,
            (false, _) => Platform::MacOs,
        }
    }

    pub(crate) fn hostname(&self) -> Option<String> {
        if self.is(Quirk::OnlyId) {
            return None;
        }
        let site = self.site();
        let number = self.index;
        Some(match (self.is_server(), self.platform()) {
            (true, Platform::Linux) => format!(
                "{}-{site}-{number:04}",
                self.pick(ROLE, &["web", "db", "build", "proxy"])
            )
            .to_lowercase(),
            (true, _) => {
                format!(
                    "{}-{site}-{number:04}",
                    self.pick(ROLE, &["FILE", "DC", "SQL", "PRINT"])
                )
            }
            (false, Platform::MacOs) => {
                format!("mac-{}-{number:04}", self.person().0.to_lowercase())
            }
            (false, Platform::Linux) => format!("ws-{}-{number:04}", site.to_lowercase()),
            (false, Platform::Windows) => {
                format!(
                    "{}-{site}-{number:04}",
                    self.pick(ROLE, &["LAP", "PC", "WS"])
                )
            }
        })
    }

    pub(crate) fn site(&self) -> &'static str {
        self.pick(SITE, SITES)
    }

    pub(crate) fn health(&self) -> Option<&'static str> {
        if !self.has_optional() {
            return None;
        }
        Some(match self.below(HEALTH, 100) {
            _ if self.is(Quirk::UnknownEnums) => "degraded",
            0..78 => "good",
            78..90 => "suspicious",
            90..96 => "bad",
            _ => "unknown",
        })
    }

    pub(crate) fn os(&self) -> Option<Os> {
        if !self.has_optional() {
            return None;
        }
        let (name, major, minor, build) = match (self.is_server(), self.platform()) {
            (true, Platform::Windows) => self.pick(OS, WINDOWS_SERVERS),
            (false, Platform::Windows) => self.pick(OS, WINDOWS_CLIENTS),
            (_, Platform::Linux) => self.pick(OS, LINUXES),
            (_, Platform::MacOs) => self.pick(OS, MACS),
        };
        let platform = match self.platform() {
            _ if self.is(Quirk::UnknownEnums) => "chromeOS",
            Platform::Windows => "windows",
            Platform::Linux => "linux",
            Platform::MacOs => "macOS",
        };
        Some(Os {
            platform,
            name,
            major,
            minor,
            build,
        })
    }

    /// First and last name of the person who uses it.
    pub(crate) fn person(&self) -> (&'static str, &'static str) {
        (
            self.pick(FIRST_NAME, FIRST_NAMES),
            self.pick(LAST_NAME, LAST_NAMES),
        )
    }

    pub(crate) fn person_name(&self) -> Option<String> {
        // Servers belong to nobody in particular, and local accounts have only a login.
        if !self.has_optional() || self.is_server() || self.below(PERSON, 10) == 0 {
            return None;
        }
        let (first, last) = self.person();
        Some(format!("{first} {last}"))
    }

    pub(crate) fn person_id(&self) -> Option<String> {
        self.person_name()?;
        let people = self.account.seed.child("person", 0);
        (self.platform() != Platform::Linux).then(|| people.uuid(self.index))
    }

    pub(crate) fn login(&self) -> Option<String> {
        if !self.has_optional() {
            return None;
        }
        let (first, last) = self.person();
        let user = format!("{}.{}", first.to_lowercase(), last.to_lowercase());
        Some(match (self.is_server(), self.platform()) {
            (true, Platform::Windows) => "CORP\\svc-backup".to_owned(),
            (true, _) => "root".to_owned(),
            (false, Platform::Windows) => format!("CORP\\{user}"),
            (false, _) => first.to_lowercase(),
        })
    }

    pub(crate) fn group(&self) -> Option<(String, &'static str)> {
        if !self.has_optional() || self.below(GROUP, 4) == 0 {
            return None;
        }
        let number = self.below(GROUP_NAME, u32::try_from(GROUPS.len()).unwrap_or(1));
        let id = self.account.seed.child("group", 0).uuid(number);
        Some((id, GROUPS[number as usize]))
    }

    pub(crate) fn ipv4(&self) -> Option<[u8; 4]> {
        let [_, b, c, d] = (self.index + 1).to_be_bytes();
        self.has_optional().then_some([10, b, c, d])
    }

    pub(crate) fn ipv6(&self) -> Option<String> {
        let has = self.has_optional() && self.below(IPV6, 3) == 0;
        has.then(|| format!("fe80::{:x}", u64::from(self.index) + 0x0A00_0001))
    }

    pub(crate) fn mac(&self) -> Option<[u8; 6]> {
        let [a, b, c, d] = self.index.to_be_bytes();
        self.has_optional().then_some([0x02, 0x1B, a, b, c, d])
    }

    pub(crate) fn serial_number(&self) -> Option<String> {
        (self.has_optional() && self.below(SERIAL, 5) > 0).then(|| {
            format!(
                "SN{:06X}{:05}",
                self.below(SERIAL + 1, 0x100_0000),
                self.index
            )
        })
    }

    pub(crate) fn tamper_supported(&self) -> Option<bool> {
        self.is_rich().then(|| self.platform() != Platform::Linux)
    }

    /// Whether tamper protection is on when nobody has changed it.
    pub(crate) fn tamper_enabled(&self) -> Option<bool> {
        Some(self.tamper_supported()? && self.below(TAMPER, 12) > 0)
    }

    pub(crate) fn online(&self) -> Option<bool> {
        self.is_rich().then(|| self.below(AGE, 100) < 60)
    }

    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        if !self.is_rich() || self.is(Quirk::OddTime) {
            return None;
        }
        let minutes = match self.below(AGE, 100) {
            0..60 => self.below(AGE + 1, 15),
            60..85 => 15 + self.below(AGE + 1, 24 * 60),
            85..95 => 24 * 60 + self.below(AGE + 1, 29 * 24 * 60),
            _ => 30 * 24 * 60 + self.below(AGE + 1, 170 * 24 * 60),
        };
        Some(
            self.clock
                .ago_millis(i64::from(minutes) * 60_000 + i64::from(self.below(AGE + 2, 60_000))),
        )
    }

    pub(crate) fn last_os_update(&self) -> Option<Timestamp> {
        (self.is_rich() && self.below(OS_UPDATE, 5) > 0).then(|| self.days_ago(OS_UPDATE + 1, 60))
    }

    pub(crate) fn last_agent_update(&self) -> Option<Timestamp> {
        (self.is_rich() && self.below(AGENT_UPDATE, 7) > 0)
            .then(|| self.days_ago(AGENT_UPDATE + 1, 30))
    }

    fn days_ago(&self, purpose: u32, days: u32) -> Timestamp {
        let seconds = self.below(purpose, days * 86_400);
        self.clock.ago_millis(i64::from(seconds) * 1000)
    }

    pub(crate) fn lockdown(&self) -> Option<&'static str> {
        if !self.is_rich() {
            return None;
        }
        Some(match self.below(LOCKDOWN, 20) {
            _ if self.is(Quirk::UnknownEnums) => "frozen",
            _ if !self.is_server() => "notInstalled",
            0..3 => "locked",
            3 => "locking",
            4..6 => "unlocked",
            6 => "unavailable",
            _ => "notInstalled",
        })
    }

    pub(crate) fn encryption(&self) -> Option<&'static str> {
        if !self.is_rich() {
            return None;
        }
        Some(match (self.platform(), self.below(ENCRYPTION, 20)) {
            (Platform::Linux, _) => "notSupported",
            (_, 0..12) => "encrypted",
            (_, 12..17) => "notEncrypted",
            (_, 17) => "encrypting",
            (_, 18) => "suspended",
            _ => "unknown",
        })
    }

    pub(crate) fn cloud(&self) -> Option<(&'static str, String)> {
        (self.is_rich() && self.is_server() && self.below(CLOUD, 4) == 0).then(|| {
            let provider = self.pick(CLOUD + 1, &["aws", "azure", "gcp"]);
            (
                provider,
                format!(
                    "i-{:08x}",
                    self.seed.draw(self.index, CLOUD + 2) & 0xFFFF_FFFF
                ),
            )
        })
    }

    /// Whether the device has isolated itself, which no call can undo.
    pub(crate) fn self_isolated(&self) -> bool {
        self.is_rich() && self.below(ISOLATION, 100) == 0
    }

    /// Whether an admin had isolated it before the sandbox started.
    pub(crate) fn admin_isolated(&self) -> bool {
        self.is_rich() && self.below(ISOLATION + 1, 50) == 0
    }

    pub(crate) fn is_mdr_managed(&self) -> bool {
        self.below(MDR, 3) == 0
    }

    pub(crate) fn is_cloned(&self) -> bool {
        self.below(MDR + 1, 80) == 0
    }

    pub(crate) fn agent_version(&self) -> String {
        format!(
            "2024.{}.{}.{}",
            1 + self.below(AGENT, 4),
            self.below(AGENT + 1, 5),
            self.index % 10
        )
    }

    /// Returns a password in the form of the service. `round` counts how often it was made anew.
    pub(crate) fn password(&self, round: u32) -> String {
        let seed = self.seed.child("password", u64::from(round));
        format!(
            "{}{}-{}-{}-{:02}",
            seed.pick(self.index, 1, &["k", "p", "t", "w"]),
            seed.below(self.index, 2, 10),
            seed.pick(self.index, 3, PASSWORD_WORDS),
            seed.pick(self.index, 4, PASSWORD_WORDS),
            seed.below(self.index, 5, 100),
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Windows,
    Linux,
    MacOs,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Os {
    pub(crate) platform: &'static str,
    pub(crate) name: &'static str,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) build: Option<u32>,
}

type OsRow = (&'static str, Option<u32>, Option<u32>, Option<u32>);

const WINDOWS_SERVERS: &[OsRow] = &[
    (
        "Windows Server 2022 Standard",
        Some(10),
        Some(0),
        Some(20348),
    ),
    (
        "Windows Server 2019 Standard",
        Some(10),
        Some(0),
        Some(17763),
    ),
    (
        "Windows Server 2016 Datacenter",
        Some(10),
        Some(0),
        Some(14393),
    ),
];
const WINDOWS_CLIENTS: &[OsRow] = &[
    ("Windows 11 Pro", Some(10), Some(0), Some(22631)),
    ("Windows 11 Enterprise", Some(10), Some(0), Some(26100)),
    ("Windows 10 Pro", Some(10), Some(0), Some(19045)),
];
const LINUXES: &[OsRow] = &[
    ("Ubuntu 22.04.4 LTS", Some(22), Some(4), None),
    ("Debian GNU/Linux 12", Some(12), None, None),
    ("Red Hat Enterprise Linux 9.3", None, None, None),
];
const MACS: &[OsRow] = &[
    ("macOS Sonoma", Some(14), Some(4), None),
    ("macOS Ventura", None, None, None),
];

const SITES: &[&str] = &[
    "KIEL", "BERN", "OSLO", "YORK", "GRAZ", "LYON", "CORK", "TURIN",
];
const GROUPS: &[&str] = &[
    "File servers",
    "Field staff",
    "Finance",
    "Werkstatt Süd",
    "Reception",
    "Development",
];
const FIRST_NAMES: &[&str] = &[
    "Anna", "Jonas", "Mira", "Luca", "Freya", "Omar", "Ines", "Pavel", "Ruth", "Sven", "Tara",
    "Yuki", "Zoe", "Bruno", "Clara", "Dmitri",
];
const LAST_NAMES: &[&str] = &[
    "Berg", "Costa", "Dorn", "Evans", "Falk", "Gruber", "Holm", "Ivanov", "Jensen", "Keller",
    "Lang", "Moreau", "Novak", "Olsen", "Price", "Quist",
];
const PASSWORD_WORDS: &[&str] = &[
    "Hazel", "Quay", "Maple", "Ford", "Cedar", "Mill", "Heron", "Lock", "Birch", "Pier",
];

const KIND: u32 = 0x100;
const PLATFORM: u32 = 0x110;
const ROLE: u32 = 0x120;
const SITE: u32 = 0x130;
const HEALTH: u32 = 0x140;
const OS: u32 = 0x150;
const FIRST_NAME: u32 = 0x160;
const LAST_NAME: u32 = 0x170;
const PERSON: u32 = 0x180;
const GROUP: u32 = 0x190;
const GROUP_NAME: u32 = 0x1A0;
const IPV6: u32 = 0x1B0;
const SERIAL: u32 = 0x1C0;
const TAMPER: u32 = 0x1D0;
const AGE: u32 = 0x1E0;
const OS_UPDATE: u32 = 0x1F0;
const AGENT_UPDATE: u32 = 0x200;
const LOCKDOWN: u32 = 0x210;
const ENCRYPTION: u32 = 0x220;
const CLOUD: u32 = 0x230;
const ISOLATION: u32 = 0x240;
const MDR: u32 = 0x250;
const AGENT: u32 = 0x260;
