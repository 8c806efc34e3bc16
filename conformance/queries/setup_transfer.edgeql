# name: setup_transfer
# result: none
create type Transfer { create required link src: Account; create required link dst: Account; create required property amount: std::int64; create property at: std::datetime { set default := std::datetime_current() } }
