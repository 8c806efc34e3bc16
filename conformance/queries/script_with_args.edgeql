# name: script_with_args
# named: a str
# result: none
insert Account { name := <str>$a, balance := 1 }; update Account filter .name = <str>$a set { balance := 2 };
