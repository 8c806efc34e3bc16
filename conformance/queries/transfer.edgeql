# name: transfer
# args: src str, dst str, amount int64
# result: none
with src := (update Account filter .name = <str>$0 set { balance := .balance - <int64>$2 }), dst := (update Account filter .name = <str>$1 set { balance := .balance + <int64>$2 }) insert Transfer { src := assert_single(src), dst := assert_single(dst), amount := <int64>$2 }
