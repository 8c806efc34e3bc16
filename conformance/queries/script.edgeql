# name: script
# result: none
insert Account { name := 'carol', balance := 1 }; update Account filter .name = 'carol' set { balance := 2 };
