# name: aggregate
# result: one {n: int64, total: int64, top: optional int64}
select { n := count(Account), total := sum(Account.balance), top := max(Account.balance) }
