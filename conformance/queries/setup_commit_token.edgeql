# name: setup_commit_token
# result: none
create type CommitToken { create required property token: std::uuid { create constraint std::exclusive }; create required property at: std::datetime { set default := std::datetime_current() } }
