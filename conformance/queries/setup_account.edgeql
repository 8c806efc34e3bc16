# name: setup_account
# result: none
create type Account { create required property name: std::str { create constraint std::exclusive }; create required property balance: std::int64 { create constraint std::min_value(0) }; create property note: std::str; create property color: Color; create multi property tags: std::str }
