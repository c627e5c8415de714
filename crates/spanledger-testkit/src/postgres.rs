//! A PostgreSQL server of a test's own.
#![expect(clippy::missing_panics_doc, reason = "a test ends where its server does not do what it should")]

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::peers::{free_port, peer};

/// The time after which starting or stopping the server counts as failed. Only a hang takes that long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A server with a data folder of its own, on a free port of the loopback interface. Dropping it ends the server and
/// removes the folder.
///
/// The superuser is `postgres` with the password [`Postgres::PASSWORD`], and there is the database `postgres`.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// The user and group that the programs run as, if this process is root: the server refuses to run as root.
    user: Option<(u32, u32)>,
    options: Vec<String>,
    server: Option<Child>,
}

impl Postgres {
    /// The password of the superuser.
    pub const PASSWORD: &'static str = "correct horse";

    /// Starts a server, if the peer is installed.
    ///
    /// Otherwise prints that the test is skipped and returns `None`, or panics if `SPANLEDGER_REQUIRE_PEERS` is 1.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with further settings, such as `max_connections=10`.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let programs = peer("postgres", "postgres")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            #[cfg(unix)]
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
                .expect("root can give the folder to the server's user");
        }
        let mut server =
            Self { programs, folder, port: free_port(), user, options: Vec::new(), server: None };
        server.options = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let password = server.folder.path().join("password");
        fs::write(&password, Self::PASSWORD).expect("the folder can be written");
        let data = server.data();
        let initialized = server
            .command("initdb")
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg(format!("--pwfile={}", password.display()))
            .arg(format!("--pgdata={}", data.display()))
            .output()
            .expect("initdb can be started");
        assert!(initialized.status.success(), "{}", String::from_utf8_lossy(&initialized.stderr));
        server.run();
        Some(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data folder of the server.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A connection string for the superuser.
    pub fn url(&self) -> String {
        format!(
            "postgresql://postgres:{}@127.0.0.1:{}/postgres",
            Self::PASSWORD.replace(' ', "%20"),
            self.port
        )
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Its children notice the end of their parent and end, too.
            server.kill().expect("the server is a child of this process");
            server.wait().expect("the server is a child of this process");
        }
    }

    /// Ends the server in order; clients are disconnected.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let data = format!("--pgdata={}", self.data().display());
            let stopped = self.command("pg_ctl").args(["stop", "--mode=immediate", &data]).output();
            if !stopped.is_ok_and(|output| output.status.success()) {
                // The server may have ended by itself; then both calls say so.
                server.kill().unwrap_or_default();
            }
            server.wait().expect("the server is a child of this process");
        }
    }

    /// Starts the server, which has ended, on the same port and with the same data.
    pub fn run(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).expect("the folder can be written");
        let data = self.data();
        let mut command = self.command("postgres");
        command.arg("-D").arg(&data).arg("-p").arg(self.port.to_string());
        command.arg("-k").arg(self.folder.path());
        for option in
            ["listen_addresses=127.0.0.1"].into_iter().chain(self.options.iter().map(String::as_str))
        {
            command.args(["-c", option]);
        }
        command.stdout(Stdio::null()).stderr(log);
        let mut server = command.spawn().expect("postgres can be started");
        let started = Instant::now();
        while !self.query("SELECT 1").is_ok_and(|output| output == "1\n") {
            if started.elapsed() > TIMEOUT {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("the PostgreSQL server does not answer:\n{log}");
            }
            // A server does not start as long as a child of the one that was killed lives.
            if server.try_wait().expect("the server is a child of this process").is_some() {
                server = command.spawn().expect("postgres can be started");
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.server = Some(server);
    }

    /// Runs SQL as the superuser. Returns the rows as CSV without a header, where null is `NULL`, or psql's message.
    pub fn query(&self, sql: &str) -> Result<String, String> {
        if TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            return Err("the server does not listen".to_owned());
        }
        let mut psql = self
            .command("psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--csv",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
                "--pset=null=NULL",
            ])
            .arg(self.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut input = psql.stdin.take().expect("the input is a pipe");
        let sql = sql.to_owned();
        // psql may print before it has read everything.
        let writer = thread::spawn(move || input.write_all(sql.as_bytes()));
        let output = psql.wait_with_output().map_err(|error| error.to_string())?;
        let written = writer.join().expect("the writer does not panic");
        if output.status.success() && written.is_ok() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.programs.join(program.as_ref()));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.current_dir("/").stdin(Stdio::null());
        #[cfg(unix)]
        if let Some((uid, gid)) = self.user {
            use std::os::unix::process::CommandExt as _;
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The ids of a user for the server, if this process is root.
fn unprivileged_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    let ids =
        ["postgres", "nobody"].into_iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)));
    Some(ids.expect("there is a user `postgres` or `nobody`"))
}
