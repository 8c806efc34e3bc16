# name: failing_script
# result: none
insert Account { name := 'script1', balance := 1 }; select 1/0; insert Account { name := 'script2', balance := 1 };
