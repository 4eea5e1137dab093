//! `iot-control tls ..`: a CA of the house, a certificate of its broker, and what to do with both.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use broker::tcp::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{cli::Tls, printer, run::tls::Files, settings::Settings};

/// Folder in the house.
const FOLDER: &str = "tls";

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server.key";

/// How long they hold: the CA as long as its clients may be left alone, the certificate as long as Apple's systems take
/// one of a private CA.
const CA_DAYS: u64 = 20 * 365;
const SERVER_DAYS: u64 = 825;

/// Clocks of clients may be behind by so much.
const CLOCKS_BEHIND: Duration = Duration::from_secs(24 * 3_600);

/// Makes or shows certificates.
pub(crate) fn tls(command: Tls) -> anyhow::Result<ExitCode> {
    match command {
        Tls::Init { house, name, renew } => init(&house, name, renew)?,
        Tls::Show { house } => show(&house)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(house: &Path) -> anyhow::Result<()> {
    let files = Files::read(&Settings::read(house)?, house)?;
    let names = files.certificate.names.join(", ");
    printer::result(format_args!("names     {names}"));
    let days = files.days_left();
    printer::result(match days {
        ..0 => "ends      it is over: renew it".to_owned(),
        days => format!("ends      in {days} days"),
    });
    Ok(())
}

fn init(house: &Path, names: Vec<String>, renew: bool) -> anyhow::Result<()> {
    if !house.is_dir() {
        bail!("{}: there is no such folder", house.display());
    }
    let folder = house.join(FOLDER);
    let at = |name: &str| folder.join(name);
    let names = match names.is_empty() {
        false => names,
        true if renew => names_before(&at(SERVER))?,
        true => own_names()?,
    };
    if renew {
        let key = KeyPair::from_pem(&text(&at(CA_KEY))?)
            .with_context(|| format!("{}: it is no key of a CA", at(CA_KEY).display()))?;
        let ca = Issuer::from_ca_cert_pem(&text(&at(CA))?, key)
            .with_context(|| format!("{}: it is no certificate of a CA", at(CA).display()))?;
        put(server(&folder, &ca, &names)?)?;
        printer::tell(format_args!(
            "{} and its key are new, for {}; a running dispatcher takes them up by itself",
            at(SERVER).display(),
            names.join(", ")
        ));
        return Ok(());
    }
    for name in [CA, CA_KEY, SERVER, SERVER_KEY] {
        if at(name).exists() {
            bail!(
                "{} is there already: say --renew for a new certificate of the same CA, or move the folder away for a \
                 new CA, which all clients have to learn",
                at(name).display()
            );
        }
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&folder)
        .with_context(|| format!("{}: it can't be made", folder.display()))?;
    let key = KeyPair::generate()?;
    let mut params = params(Vec::new(), CA_DAYS)?;
    let host = names.first().map_or("house", String::as_str);
    params
        .distinguished_name
        .push(DnType::CommonName, format!("iot-control CA of {host}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.pem();
    let of_ca = [
        New::stage(at(CA_KEY), &key.serialize_pem(), 0o600)?,
        New::stage(at(CA), &certificate, 0o644)?,
    ];
    let of_server = server(&folder, &Issuer::new(params, key), &names)?;
    put(of_ca.into_iter().chain(of_server))?;
    say(house, &folder, &names);
    Ok(())
}

fn params(names: Vec<String>, days: u64) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let now = SystemTime::now();
    params.not_before = (now - CLOCKS_BEHIND).into();
    params.not_after = (now + Duration::from_secs(days * 24 * 3_600)).into();
    Ok(params)
}

/// A certificate for these names and its key.
fn server(folder: &Path, ca: &Issuer<'_, KeyPair>, names: &[String]) -> anyhow::Result<[New; 2]> {
    let key = KeyPair::generate()?;
    let mut params = params(names.to_vec(), SERVER_DAYS)
        .with_context(|| format!("{}: not all of them are names of hosts", names.join(", ")))?;
    let host = names.first().map_or("house", String::as_str);
    params.distinguished_name.push(DnType::CommonName, host);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, ca)?.pem();
    Ok([
        New::stage(folder.join(SERVER_KEY), &key.serialize_pem(), 0o600)?,
        New::stage(folder.join(SERVER), &certificate, 0o644)?,
    ])
}

/// A file beside its place, which goes unless it is put there: of a key and its certificate there are both or none, whatever the
/// disk does, and nobody ever reads half of one, or with another mode.
struct New {
    beside: PathBuf,
    path: PathBuf,
}

impl New {
    fn stage(path: PathBuf, text: &str, mode: u32) -> anyhow::Result<Self> {
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let new = Self { beside, path };
        let written = (|| {
            let _ = fs::remove_file(&new.beside);
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&new.beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })();
        written.with_context(|| {
            format!(
                "{}: it can't be written; nothing was changed",
                new.path.display()
            )
        })?;
        Ok(new)
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // Where it was put in its place nothing is there any more.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Puts all of them in place.
fn put(files: impl IntoIterator<Item = New>) -> anyhow::Result<()> {
    for file in files {
        fs::rename(&file.beside, &file.path)
            .with_context(|| format!("{}: it can't be written", file.path.display()))?;
    }
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| {
        format!(
            "{}: it can't be read; without --renew a new CA is made",
            path.display()
        )
    })
}

/// The names of the certificate that is there: by them clients connect, and another one's they would refuse.
fn names_before(path: &Path) -> anyhow::Result<Vec<String>> {
    let names = fs::read(path)
        .map_err(anyhow::Error::from)
        .and_then(|text| Ok(Certificate::names_of(&text)?));
    let names = names.and_then(|names| match names.is_empty() {
        true => bail!("it is for no host"),
        false => Ok(names),
    });
    names.with_context(|| {
        format!(
            "{}: for which names it is can't be read: say --name with each that clients connect to",
            path.display()
        )
    })
}

/// This machine's name, as a home's network knows it.
fn own_names() -> anyhow::Result<Vec<String>> {
    let known = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = known.iter().find_map(|file| fs::read_to_string(file).ok());
    let name = name.unwrap_or_default().trim().to_lowercase();
    let host = name.split('.').next().unwrap_or_default().to_owned();
    if host.is_empty() {
        bail!("this machine has no name: say --name with the one that clients connect to");
    }
    let mut names = vec![host.clone(), format!("{host}.local")];
    for other in [name, "localhost".into(), "127.0.0.1".into(), "::1".into()] {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    Ok(names)
}

fn say(house: &Path, folder: &Path, names: &[String]) {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let ca: PathBuf = folder.join(CA);
    let host = names.first().map_or("HOST", String::as_str);
    printer::tell(format_args!(
        "made in {}: a CA for {} years, a certificate for {SERVER_DAYS} days for {}",
        folder.display(),
        CA_DAYS / 365,
        names.join(", ")
    ));
    if !names.iter().any(|name| {
        name.parse::<IpAddr>()
            .is_ok_and(|address| !address.is_loopback())
    }) {
        printer::tell("clients that connect by an IP address need it as a --name as well");
    }
    printer::tell(format_args!(
        "write into {}:",
        house.join("settings.toml").display()
    ));
    printer::result(format_args!(
        "[mqtt]\ntls_listen = [\"0.0.0.0:8883\"]\n\n[tls]\ncertificate = \"{FOLDER}/{SERVER}\"\nkey = \"{FOLDER}/{SERVER_KEY}\""
    ));
    printer::tell(format_args!(
        "then restart; clients get {CA} (never a .key) and connect with\n  mosquitto_pub --cafile {} -h {host} -p 8883 -u USER -P PASSWORD -t TOPIC -m MESSAGE\n\
         keep {CA_KEY} safe: whoever has it can be taken for this broker",
        ca.display()
    ));
}
