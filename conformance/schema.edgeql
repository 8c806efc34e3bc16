# The schema that the suite works in on EdgeDB, as SDL. The suite makes it with
# the statements setup_* of the catalogue; a test holds that they agree.
module default {
    scalar type Color extending enum<Red, Green, Blue>;

    global tenant -> std::str;

    type Account {
        required property name: std::str {
            constraint std::exclusive;
        };
        required property balance: std::int64 {
            constraint std::min_value(0);
        };
        property note: std::str;
        property color: Color;
        multi property tags: std::str;
    };

    type Transfer {
        required link src: Account;
        required link dst: Account;
        required property amount: std::int64;
        property at: std::datetime {
            default := std::datetime_current();
        };
    };

    # A claim is checked at the commit, for errors there.
    type Claim {
        required link account: Account {
            on target delete deferred restrict;
        };
    };
};
