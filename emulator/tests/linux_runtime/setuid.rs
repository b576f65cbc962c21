//! Programs that make their user another one.

use emulator::image::Root;

use crate::machine::Machine;

/// The users of a process that runs a program of root with the set-user-ID bit, as user 1234.
async fn users(no_new_privileges: bool) -> String {
    let machine = Machine::new().await;
    let mut config = machine.container(
        "cp /usr/bin/head /head && chmod u+s /head && \
         exec setpriv --reuid 1234 --clear-groups /head -n 12 /proc/self/status",
    );
    config.image.root = Root::Host;
    config.security.no_new_privileges = no_new_privileges;
    let (status, output) = machine.run(&config).await;
    machine.close().await;
    let users = output.lines().find_map(|line| line.strip_prefix("Uid:\t"));
    users.unwrap_or_else(|| panic!("{status:?}: {output}")).to_owned()
}

#[tokio::test]
async fn a_set_user_id_program_gives_its_user_unless_new_privileges_are_forbidden() {
    assert_eq!(users(false).await, "1234\t0\t0\t0");
    assert_eq!(users(true).await, "1234\t1234\t1234\t1234");
}
